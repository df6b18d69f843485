/** The API keys of the organization. */

import { at, useAction, useList } from "../../kit/api.js";
import {
  Badge,
  Banner,
  Button,
  Confirm,
  Dialog,
  Empty,
  Failure,
  Icon,
  notify,
  Table,
  Time,
} from "../../kit/elements.js";
import { html, useState } from "../../vendor/preact.js";
import {
  ADMIN,
  ListView,
  MANAGE,
  PageHead,
  READ,
  SearchField,
  TEST,
  useQuery,
  useSession,
} from "../dashboard.js";
import { FormDialog, SelectField, TextField, unshown } from "../fields.js";
import { Copyable } from "../release_view.js";

/**
 * @typedef {import("#api").components["schemas"]["ApiKey"]} ApiKey
 * @typedef {import("#api").components["schemas"]["IssuedApiKey"]} Issued
 */

/** @type {[string, string, string][]} */
export const PERMISSIONS = [
  [READ, "Read", "See everything but secrets."],
  [TEST, "Test", "Run tests and try values; read nothing by that alone."],
  [MANAGE, "Manage", "Change everything, keys included. Tests, too."],
  ["platform.events.write", "Report events", "Send integration events of a product."],
  [
    "platform.credential.use",
    "Use credentials",
    "Get usable credentials of connections, or send requests with them.",
  ],
  [ADMIN, "Operate", "Everything in every organization: the operator's own."],
];
/** @type {[string, string][]} */
const LIFETIMES = [
  ["30", "30 days"],
  ["90", "90 days"],
  ["365", "One year"],
  ["", "No end"],
];
const DAY_MS = 86_400_000;
const SOON_MS = 14 * DAY_MS;

/** @param {string} permission */
const wordOf = (permission) => PERMISSIONS.find(([key]) => key === permission)?.[1] ?? permission;

export default function Keys() {
  const { session, organization, why, can } = useSession();
  const [q, setQ] = useQuery("q");
  const list = useList(can(MANAGE) ? `${organization}/api-keys?limit=100` : null);
  const [issuing, setIssuing] = useState(false);
  const [revoked, revoke] = useState(/** @type {ApiKey | null} */ (null));
  const wanted = q.trim().toLowerCase();
  const shown = /** @type {ApiKey[]} */ (list.items).filter((key) =>
    [key.name, key.prefix, key.id, key.space ?? ""].some((text) => text.toLowerCase().includes(wanted)),
  );
  const issue = html`<${Button} kind="primary" why=${why(MANAGE)} onClick=${() => setIssuing(true)}><${Icon} name="plus" />New key</${Button}>`;
  return html`<div class="stack">
    <${PageHead} title="API keys" actions=${issue}><p class="muted">With a key, a program of yours calls the API.</p></${PageHead}>
    ${
      why(MANAGE)
        ? html`<${Empty} icon="lock" title="You can't see the keys">${why(MANAGE)}.</${Empty}>`
        : html`<div class="toolbar"><${SearchField} label="Search by name or prefix" value=${q} onChange=${setQ} /></div>
          <${ListView} list=${list} empty=${html`<${Empty} icon="key" title="There is no key yet" action=${issue}>Make one for each program, with no more than it needs.</${Empty}>`}>
            ${
              shown.length
                ? html`<div class="card flush"><${Table} caption="API keys" heads=${["Key", html`<span class="wide">May</span>`, html`<span class="wide">Space</span>`, "Expires", html`<span class="wide">Made</span>`, ""]}>
                    ${shown.map(
                      (key) => html`<tr key=${key.id}>
                        <th scope="row"><bdi>${key.name}</bdi>${key.id === session.subject && html` <${Badge} tone="info" icon="key">Yours</${Badge}>`}<div class="muted mono">${key.prefix}…</div><div class="narrow muted">${key.permissions.map(wordOf).join(", ")}</div></th>
                        <td class="wide">${key.permissions.map(wordOf).join(", ")}</td>
                        <td class="wide">${key.space ? html`<code>${key.space}</code>` : html`<span class="muted">All</span>`}</td>
                        <td><${Expiry} at=${key.expires_at} /></td>
                        <td class="wide"><${Time} at=${key.created_at} /></td>
                        <td class="numeric"><${Button} kind="small" label=${`Revoke ${key.name}`} onClick=${() => revoke(key)}>Revoke…</${Button}></td>
                      </tr>`,
                    )}
                  </${Table}></div>`
                : html`<${Empty} icon="search" title="No key matches">Try another word.</${Empty}>`
            }
          </${ListView}>`
    }
    ${issuing && html`<${Issue} onClose=${() => setIssuing(false)} onIssued=${list.reload} />`}
    ${revoked && html`<${Revoke} apiKey=${revoked} onClose=${() => revoke(null)} onRevoked=${list.reload} />`}
  </div>`;
}

/** @param {{ at: string | null }} props */
function Expiry({ at: end }) {
  const left = end ? new Date(end).getTime() - Date.now() : Infinity;
  if (left <= 0) return html`<${Badge} tone="bad">Expired</${Badge}>`;
  if (left < SOON_MS) return html`<${Badge} tone="warn"><${Time} at=${end} /></${Badge}>`;
  return html`<${Time} at=${end} none="No end" />`;
}

/** @param {{ onClose: () => void, onIssued: () => void }} props */
function Issue({ onClose, onIssued }) {
  const { session, organization, can } = useSession();
  const spaces = useList(`${organization}/spaces?limit=100`);
  const [name, setName] = useState("");
  const [held, setHeld] = useState([READ]);
  const [space, setSpace] = useState(session.space?.slug ?? "");
  const [days, setDays] = useState("90");
  const issuing = useAction();
  const [issued, setIssued] = useState(/** @type {Issued | null} */ (null));
  const offered = PERMISSIONS.filter(([key]) => key !== ADMIN || session.permissions.includes(ADMIN));
  const issue = async () => {
    const body = {
      name,
      permissions: held,
      ...(space ? { space } : {}),
      ...(days
        ? { expires_at: new Date(Date.now() + Number(days) * DAY_MS).toISOString().replace(/\.\d+/, "") }
        : {}),
    };
    const made = await issuing.run(`${organization}/api-keys`, { body });
    if (!made) return;
    setIssued(made);
    onIssued();
  };
  if (issued) {
    return html`<${Dialog} title="Copy the key now" onClose=${onClose}>
      <${Banner} tone="warn" title="This is the only time it is shown">Keep it where your program finds it, such as a secret manager. Who has it may do what it may.</${Banner}>
      <${Copyable} text=${issued.key} label="Copy the key" />
      <p class="muted"><bdi>${issued.name}</bdi>: ${issued.permissions.map(wordOf).join(", ")}</p>
      <div class="row spread"><span></span><${Button} kind="primary" onClick=${onClose}>I have copied it</${Button}></div>
    </${Dialog}>`;
  }
  const places = /** @type {[string, string][]} */ ([
    ...(session.space ? [] : [["", "All spaces"]]),
    ...spaces.items.map((/** @type {any} */ one) => [one.slug, `${one.name} (${one.slug})`]),
  ]);
  const error = unshown(issuing.error, ["/name", "/permissions", "/space", "/expires_at"]);
  return html`<${FormDialog} title="New API key" confirm="Make the key" busy=${issuing.busy} error=${error} failed="No key was made" onSubmit=${issue} onClose=${onClose}>
    <${TextField} label="Name" required autofocus maxlength="120" value=${name} onChange=${setName} error=${issuing.errorAt("/name")} help="What will use it, such as “Billing backend”." />
    <fieldset class="field"><legend>It may</legend>
      ${offered.map(
        ([key, word, help]) => html`<div class="check" key=${key}>
          <input type="checkbox" id=${`may-${key}`} checked=${held.includes(key)} disabled=${!can(key)} aria-describedby=${`may-${key}-help`}
            onChange=${(/** @type {any} */ event) => setHeld(event.target.checked ? [...held, key] : held.filter((one) => one !== key))} />
          <span><label for=${`may-${key}`}>${word}</label> <span class="muted" id=${`may-${key}-help`}>${help}${!can(key) && " You don’t hold it, so you can’t give it."}</span></span>
        </div>`,
      )}
      ${issuing.errorAt("/permissions") && html`<div class="error" role="alert"><${Icon} name="alert" />${issuing.errorAt("/permissions")}</div>`}
    </fieldset>
    ${spaces.error && html`<${Failure} error=${spaces.error} retry=${spaces.reload} title="The spaces can't be read" />`}
    <div class="halves">
      <${SelectField} label="In" value=${space} options=${places} onChange=${setSpace} error=${issuing.errorAt("/space")} />
      <${SelectField} label="Expires after" value=${days} options=${LIFETIMES} onChange=${setDays} error=${issuing.errorAt("/expires_at")} />
    </div>
  </${FormDialog}>`;
}

/** @param {{ apiKey: ApiKey, onClose: () => void, onRevoked: () => void }} props */
function Revoke({ apiKey, onClose, onRevoked }) {
  const { session, organization } = useSession();
  const revoking = useAction();
  const isOwn = apiKey.id === session.subject;
  const revoke = async () => {
    if (!(await revoking.run(`${organization}${at`/api-keys/${apiKey.id}`}`, { method: "DELETE" }))) return;
    if (isOwn) {
      location.assign("/app/sign-in");
      return;
    }
    notify("The key is revoked");
    onRevoked();
    onClose();
  };
  return html`<${Confirm} title=${`Revoke ${apiKey.name}?`} confirm=${isOwn ? "Revoke my own key" : "Revoke"} busy=${revoking.busy}
    error=${revoking.error} onConfirm=${revoke} onClose=${onClose}>
    <div class="stack">
      ${isOwn && html`<${Banner} tone="bad" title="You are signed in with this key">You are signed out within a minute, everywhere. Without another key or sign-in you can't come back.</${Banner}>`}
      <p>What uses <code>${apiKey.prefix}…</code> fails within a minute. That can't be taken back.</p>
    </div>
  </${Confirm}>`;
}
