/** Settings: the organization, its quotas, who is signed in, and its data keys. */

import { queryText, useAction, useList, useResource } from "../../kit/api.js";
import {
  Badge,
  Banner,
  Button,
  Confirm,
  Empty,
  exactly,
  Failure,
  Loading,
  notify,
  number,
  Table,
  Time,
} from "../../kit/elements.js";
import { html, useState } from "../../vendor/preact.js";
import { ADMIN, href, MANAGE, PageHead, READ, TEST, useSession } from "../dashboard.js";
import { SelectField, TextField } from "../fields.js";
import { Copyable, Facts, Section } from "../release_view.js";

/** @type {[string, string][]} */
const TABS = [
  ["", "Organization"],
  ["spaces", "Spaces"],
  ["quotas", "Quotas"],
  ["oauth-applications", "OAuth applications"],
  ["sign-in", "Sign-in"],
  ["data-keys", "Data keys"],
];

/** The frame of a page of settings. @param {{ tab: string, children?: unknown }} props */
export const SettingsFrame = ({ tab, children }) => html`<div class="stack">
  <${PageHead} title=${tab ? `Settings: ${TABS.find(([key]) => key === tab)?.[1]}` : "Settings"} />
  <nav class="tabs" aria-label="Settings">
    ${TABS.map(
      ([key, word]) =>
        html`<a key=${key} href=${href(key ? `/settings/${key}` : "/settings")} aria-current=${key === tab ? "page" : undefined}>${word}</a>`,
    )}
  </nav>
  ${children}
</div>`;

/** Shows what was read, or why it can't be. @param {{ of: import("../../kit/api.js").Resource<any>, children: (data: any) => unknown }} props */
export function Read({ of, children }) {
  if (of.data) return children(of.data);
  return of.error
    ? html`<${Failure} error=${of.error} retry=${of.reload} />`
    : html`<${Loading} lines=${4} />`;
}

/** For those who may not. @param {{ reason: string }} props */
export const Locked = ({ reason }) =>
  html`<${Empty} icon="lock" title="You can't see this">${reason}.</${Empty}>`;

/** @type {Record<string, () => unknown>} */
const PAGES = { "": OrganizationTab, quotas: Quotas, "sign-in": SignIn, "data-keys": DataKeys };

/** @param {Record<string, string>} props */
export default function Settings({ tab = "" }) {
  const Shown = PAGES[tab];
  return html`<${SettingsFrame} tab=${tab}>
    ${Shown ? html`<${Shown} />` : html`<${Empty} icon="question" title="There is no such page" />`}
  </${SettingsFrame}>`;
}

// ---------------------------------------------------------------- the organization

function OrganizationTab() {
  const { organization } = useSession();
  const read = useResource(organization);
  return html`<${Read} of=${read}>${(/** @type {any} */ data) => html`<${OrganizationForm} data=${data} etag=${read.etag} replace=${read.replace} />`}</${Read}>`;
}

/** @typedef {import("#api").components["schemas"]["Organization"]} Organization */

/** @param {{ data: Organization, etag: string | null, replace: (data: Organization, etag: string | null) => void }} props */
function OrganizationForm({ data, etag, replace }) {
  const { organization, why } = useSession();
  const [name, setName] = useState(data.name);
  const [externalId, setExternalId] = useState(data.external_id ?? "");
  const saving = useAction();
  const pausing = useAction();
  const blocked = why(ADMIN);
  const external_id = externalId.trim() || null;
  const same = name === data.name && external_id === data.external_id;
  /** @param {import("../../kit/api.js").Action} action @param {Record<string, unknown>} body @param {string} said */
  const change = async (action, body, said) => {
    const changed = await action.run(organization, { method: "PATCH", body, ifMatch: etag });
    if (!changed) return;
    notify(said);
    replace(changed, action.etag());
  };
  /** @param {Event} event */
  const save = (event) => {
    event.preventDefault();
    change(saving, { name, external_id }, "Saved");
  };
  const error = saving.error && !saving.error.errors.length ? saving.error : pausing.error;
  return html`<div class="stack measure">
    <${Section} title="Organization">
      <form class="stack" onSubmit=${save} novalidate>
        <${TextField} label="Name" required maxlength="120" readonly=${Boolean(blocked)} value=${name} onChange=${setName} error=${saving.errorAt("/name")} />
        <${TextField} label="External id" optional code maxlength="255" readonly=${Boolean(blocked)} value=${externalId} onChange=${setExternalId}
          error=${saving.errorAt("/external_id")} help="Its id in your own system, unique in this deployment." />
        <div><${Button} type="submit" kind="primary" busy=${saving.busy} why=${blocked ?? (same && "Nothing is changed")}>Save</${Button}></div>
      </form>
      <${Facts} facts=${[
        ["Id", html`<${Copyable} text=${data.id} />`],
        ["Made", html`<${Time} at=${data.created_at} />`],
      ]} />
    </${Section}>
    <${Section} title="Background tests" actions=${html`<${Badge} tone=${data.paused ? "warn" : "ok"} icon=${data.paused ? "pause" : "check"}>${data.paused ? "Paused" : "Running"}</${Badge}>`}>
      <p class="muted">${data.paused ? "No connection is tested by itself. Tests by hand still run." : "Each connection is tested as its monitor says."}</p>
      <div><${Button} why=${blocked} busy=${pausing.busy} onClick=${() => change(pausing, { paused: !data.paused }, data.paused ? "Running again" : "Paused")}>
        ${data.paused ? "Resume" : "Pause all of them"}</${Button}></div>
    </${Section}>
    ${error && html`<${Failure} error=${error} title="Nothing was changed" />`}
    ${blocked && html`<p class="muted">${blocked}.</p>`}
  </div>`;
}

// ---------------------------------------------------------------- quotas

function Quotas() {
  const { organization } = useSession();
  const read = useResource(`${organization}/quotas`);
  return html`<${Read} of=${read}>${(
    /** @type {{ items: import("#api").components["schemas"]["OrganizationQuota"][] }} */ data,
  ) => html`
    <p class="muted">How many of each this organization may have. The operator can raise a limit.</p>
    <ul class="card plain quotas">${data.items.map((quota) => {
      const used = quota.used ?? 0;
      const part = quota.limit ? used / quota.limit : 1;
      const tone = part >= 1 ? "bad" : part >= 0.8 ? "warn" : "info";
      const word = quota.name
        .replaceAll("_", " ")
        .replace(/^api/, "API")
        .replace(/^oauth/, "OAuth");
      return html`<li key=${quota.name} class=${tone}>
        <div class="row spread"><span>${word[0]?.toUpperCase()}${word.slice(1)}</span>
          <span class="numeric">${part >= 0.8 && html`<${Badge} tone=${part >= 1 ? "bad" : "warn"}>${part >= 1 ? "Full" : "Nearly full"}</${Badge}> `}${quota.used === null ? "–" : number(used)} <span class="muted">of ${number(quota.limit)}</span></span></div>
        <div class="meter" aria-hidden="true"><span style=${{ inlineSize: `${Math.min(100, part * 100)}%` }}></span></div>
      </li>`;
    })}</ul>`}</${Read}>`;
}

// ---------------------------------------------------------------- who is signed in

/** @type {Record<string, string>} */
const WAYS = {
  api_key: "API key",
  sign_in_link: "Sign-in link",
  link: "Sign-in link",
  oidc: "Single sign-on",
};

function SignIn() {
  const { why, session } = useSession();
  const read = useResource("/v1/browser-sessions");
  const ending = useAction();
  const [asking, ask] = useState(false);
  const end = async () => {
    if (await ending.run("/v1/browser-sessions", { method: "DELETE" })) location.assign("/app/sign-in");
  };
  return html`<div class="stack">
    <${Section} title="Browsers where you are signed in" actions=${html`<${Button} onClick=${() => ask(true)}>Sign out everywhere…</${Button}>`}>
      <${Read} of=${read}>${(
        /** @type {{ items: import("#api").components["schemas"]["BrowserSession"][] }} */ data,
      ) =>
        data.items.length
          ? html`<${Table} caption="Browser sessions" heads=${["Signed in", "By", "Last seen", "Ends"]}>
              ${data.items.map(
                (one) => html`<tr key=${one.id}>
                  <th scope="row"><${Time} at=${one.created_at} />${one.current && html` <${Badge} tone="info">This one</${Badge}>`}</th>
                  <td>${WAYS[one.signed_in_by] ?? one.signed_in_by}</td>
                  <td><${Time} at=${one.last_seen_at} /></td>
                  <td><${Time} at=${[one.idle_ends_at, one.expires_at].sort()[0]} /></td>
                </tr>`,
              )}
            </${Table}>`
          : html`<p class="muted">None.</p>`}</${Read}>
      <p class="muted">You are <code>${session.subject}</code>.</p>
    </${Section}>
    <${Section} title="Sign-in link">
      ${why(MANAGE) ? html`<p class="muted">${why(MANAGE)}.</p>` : html`<${SignInLink} />`}
    </${Section}>
    ${
      asking &&
      html`<${Confirm} title="Sign out everywhere?" confirm="Sign out everywhere" busy=${ending.busy} error=${ending.error}
        onConfirm=${end} onClose=${() => ask(false)}>Every browser where you are signed in is signed out at once, this one, too. Keys of programs keep working.</${Confirm}>`
    }
  </div>`;
}

/** @type {[string, string, string[]][]} */
const LEVELS = [
  ["read", "See everything", [READ]],
  ["test", "See and test", [READ, TEST]],
  ["manage", "See, test, and change", [READ, TEST, MANAGE]],
];

/** @type {[string, string][]} */
const VALID = [
  ["300", "5 minutes"],
  ["900", "15 minutes"],
  ["3600", "One hour"],
];

function SignInLink() {
  const { organization, session, can } = useSession();
  const levels = LEVELS.filter(([, , held]) => held.every(can)).map(([key, word]) => [key, word]);
  const spaces = useList(`${organization}/spaces?limit=100`);
  const [level, setLevel] = useState("read");
  const [space, setSpace] = useState(session.space?.slug ?? "");
  const [seconds, setSeconds] = useState("300");
  const making = useAction();
  const [made, setMade] = useState(/** @type {{ url: string, expires_at: string } | null} */ (null));
  /** @param {Event} event */
  const make = async (event) => {
    event.preventDefault();
    const permissions = LEVELS.find(([key]) => key === level)?.[2];
    const body = { permissions, expires_in_seconds: Number(seconds), ...(space ? { space } : {}) };
    const link = await making.run(`${organization}/sign-in-links`, { body });
    if (link) setMade(link);
  };
  const places = /** @type {[string, string][]} */ ([
    ...(session.space ? [] : [["", "All spaces"]]),
    .../** @type {any[]} */ (spaces.items).map((one) => [one.slug, one.name]),
  ]);
  return html`<form class="stack" onSubmit=${make} novalidate>
    <p class="muted">An address that signs a person in, once: for a colleague, or for a customer who may see only a space.</p>
    <div class="halves">
      <${SelectField} label="The person may" value=${level} options=${levels} onChange=${setLevel} error=${making.errorAt("/permissions")} />
      <${SelectField} label="In" value=${space} options=${places} onChange=${setSpace} error=${making.errorAt("/space")} />
      <${SelectField} label="Works for" value=${seconds} options=${VALID} onChange=${setSeconds} error=${making.errorAt("/expires_in_seconds")} />
    </div>
    ${making.error && !making.error.errors.length && html`<${Failure} error=${making.error} title="No link was made" />`}
    ${spaces.error && html`<${Failure} error=${spaces.error} retry=${spaces.reload} title="The spaces can't be read" />`}
    <div><${Button} type="submit" busy=${making.busy}>Make a link</${Button}></div>
    ${made && html`<${Banner} tone="ok" live title="The link is ready"><p>It works once, until ${exactly(made.expires_at)}, and is shown here only.</p><${Copyable} text=${made.url} label="Copy the link" /></${Banner}>`}
  </form>`;
}

// ---------------------------------------------------------------- data keys

function DataKeys() {
  const { organization, why } = useSession();
  const refused = why(MANAGE);
  const read = useResource(refused ? null : `${organization}/data-keys`);
  const rotating = useAction();
  const [asking, ask] = useState(false);
  const [resealed, setResealed] = useState(
    /** @type {{ count: number, unreadable: string[], done: boolean } | null} */ (null),
  );
  const resealing = useAction();
  if (refused) return html`<${Locked} reason=${refused} />`;
  const rotate = async () => {
    if (!(await rotating.run(`${organization}/data-keys`))) return;
    ask(false);
    notify("New secrets are sealed under a new key");
    read.reload();
  };
  const reseal = async () => {
    let count = 0;
    /** @type {string[]} */
    let unreadable = [];
    let cursor = null;
    do {
      const page = /** @type {any} */ (
        await resealing.run(`${organization}/data-keys/reseal${queryText({ cursor, limit: 100 })}`)
      );
      if (!page) return;
      count += page.resealed;
      unreadable = [...unreadable, ...page.unreadable];
      cursor = page.next_cursor;
      setResealed({ count, unreadable, done: !cursor });
    } while (cursor);
  };
  return html`<div class="stack measure">
    <${Section} title="Data keys" actions=${html`<${Button} onClick=${() => ask(true)}>Rotate…</${Button}>`}>
      <p class="muted">Secrets are sealed under a key of this organization. Rotating makes a new one for what is entered from then on; resealing moves stored secrets to it.</p>
      <${Read} of=${read}>${(/** @type {import("#api").components["schemas"]["DataKeys"]} */ data) =>
        data.keys.length
          ? html`<${Table} caption="Data keys" heads=${["Number", "Made", ""]}>
              ${data.keys.toReversed().map(
                (
                  key,
                ) => html`<tr key=${key.number}><th scope="row">${key.number}</th><td><${Time} at=${key.created_at} /></td>
                <td>${key.current && html`<${Badge} tone="ok" icon="key">Current</${Badge}>`}</td></tr>`,
              )}
            </${Table}>
            ${data.keys.length > 1 && html`<div class="row"><${Button} busy=${resealing.busy} onClick=${reseal}>Reseal stored secrets</${Button}></div>`}`
          : html`<${Empty} icon="lock" title="There is no key yet">The first secret that is stored makes one.</${Empty}>`}</${Read}>
      ${resealing.error && html`<${Failure} error=${resealing.error} title="Not all were resealed" />`}
      ${
        resealed &&
        html`<${Banner} tone=${resealed.unreadable.length ? "warn" : "ok"} live title=${resealed.done ? "Resealed" : "Resealing…"}>${number(resealed.count)} secrets are sealed under the current key.
          ${resealed.unreadable.length > 0 && html`<p>These could not be opened: ${resealed.unreadable.join(", ")}</p>`}</${Banner}>`
      }
    </${Section}>
    ${
      asking &&
      html`<${Confirm} title="Rotate the data key?" confirm="Rotate" busy=${rotating.busy} error=${rotating.error} onConfirm=${rotate} onClose=${() => ask(false)}>
        Secrets that are entered from now on are sealed under a new key. What is stored stays readable.
      </${Confirm}>`
    }
  </div>`;
}
