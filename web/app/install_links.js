/** Links for end users: to connect an integration, and to repair a connection. Read when asked for. */

import { useAction, useList } from "../kit/api.js";
import {
  Banner,
  Button,
  CopyButton,
  Dialog,
  Failure,
  Field,
  ForeignLink,
  Loading,
  Picture,
  Time,
} from "../kit/elements.js";
import { html, useState } from "../vendor/preact.js";
import { SearchField, useSession } from "./dashboard.js";
import { SelectField, TextField, unshown } from "./fields.js";

/**
 * @typedef {import("#api").components["schemas"]["IssuedInstallSession"]} Link
 * @typedef {import("#api").components["schemas"]["Space"]} Space
 * @typedef {{ key: string, name: string, iconUrl: string | null, description: string | null }} Choosable
 * @typedef {Record<string, unknown>} Control
 */

/** @type {[string, string][]} */
const VALIDITIES = [
  ["1800", "30 minutes"],
  ["14400", "4 hours"],
  ["86400", "1 day"],
];
/** A link is sent by mail as often as not. */
const A_DAY = "86400";

/** @type {[string, string][]} */
const MONITORS = [
  ["", "not at all"],
  ["1m", "every minute"],
  ["5m", "every 5 minutes"],
  ["15m", "every 15 minutes"],
  ["1h", "every hour"],
  ["24h", "once a day"],
];

/** @param {{ value: string, onChange: (seconds: string) => void }} props */
const Validity = (props) => html`<${SelectField} label="Valid for" options=${VALIDITIES} ...${props} />`;

/** The link, which no later answer has. @param {{ link: Link, onClose: () => void }} props */
const Made = ({ link, onClose }) => html`
  <div class="stack">
    <${Field} label="Link" help=${html`It works once, and ends <${Time} at=${link.expires_at} />.`}>
      ${(/** @type {Control} */ control) =>
        html`<input ...${control} class="input mono" type="text" readonly value=${link.url} autofocus
          onFocus=${(/** @type {FocusEvent} */ event) => /** @type {HTMLInputElement} */ (event.target).select()} />`}
    </${Field}>
    <${Banner} tone="info">Whoever has this link can enter credentials here. It is shown only now.</${Banner}>
    <div class="row spread">
      <div class="row"><${CopyButton} text=${link.url} label="Copy the link" /><${ForeignLink} href=${link.url} kind="button small">Open</${ForeignLink}></div>
      <${Button} kind="primary" onClick=${onClose}>Done</${Button}>
    </div>
  </div>
`;

/**
 * @param {{ connection: { id: string, name: string }, source: { integration: string } | null, onClose: () => void }} props
 */
export function RepairDialog({ connection, source, onClose }) {
  const { organization } = useSession();
  const making = useAction();
  const [seconds, setSeconds] = useState(A_DAY);
  const [link, setLink] = useState(/** @type {Link | null} */ (null));
  const make = async () => {
    if (!source) return;
    const body = {
      integration: source.integration,
      connection_id: connection.id,
      expires_in_seconds: Number(seconds),
    };
    const made = await making.run(`${organization}/install-sessions`, { body });
    if (made) setLink(made);
  };
  return html`<${Dialog} title="Repair link" onClose=${onClose}>
    ${
      link
        ? html`<${Made} link=${link} onClose=${onClose} />`
        : html`<p>With it, the customer corrects the settings of <strong><bdi>${connection.name}</bdi></strong> or signs in
              again, without an account here. It opens on the field that is wrong.</p>
            <${Validity} value=${seconds} onChange=${setSeconds} />
            ${making.error && html`<${Failure} error=${making.error} title="No link was made" />`}
            <div class="row spread">
              <${Button} onClick=${onClose}>Cancel</${Button}>
              <${Button} kind="primary" busy=${making.busy || !source} onClick=${make}>Make the link</${Button}>
            </div>`
    }
  </${Dialog}>`;
}

/**
 * Chooses an integration, and makes the link that connects it.
 *
 * @param {{ space: string, integration?: Choosable | null, onClose: () => void }} props
 *   `space` is the slug of the one that is looked at, `integration` what is chosen already
 */
export function ConnectDialog({ space, integration = null, onClose }) {
  const [chosen, setChosen] = useState(integration);
  const [link, setLink] = useState(/** @type {Link | null} */ (null));
  const title = link
    ? "Link to connect"
    : chosen
      ? `Connect ${chosen.name}`
      : "Connect: choose an integration";
  return html`<${Dialog} title=${title} onClose=${onClose}>
    ${
      link
        ? html`<${Made} link=${link} onClose=${onClose} />`
        : chosen
          ? html`<${ConnectForm} integration=${chosen} space=${space} onBack=${() => (integration ? onClose() : setChosen(null))} onMade=${setLink} />`
          : html`<${Choose} onChoose=${setChosen} onClose=${onClose} />`
    }
  </${Dialog}>`;
}

/** @param {{ onChoose: (one: Choosable) => void, onClose: () => void }} props */
function Choose({ onChoose, onClose }) {
  const [q, setQ] = useState("");
  const query = new URLSearchParams({ limit: "20", ...(q ? { q } : {}) });
  const own = useList(`/v1/integrations?${query}`);
  const open = useList(`/v1/catalog?role=source&${query}`);
  const published = /** @type {Choosable[]} */ (
    own.items.filter((/** @type {any} */ one) => one.currentVersion)
  );
  const known = new Set(published.map((one) => one.key));
  const all = [...published, .../** @type {Choosable[]} */ (open.items).filter((one) => !known.has(one.key))];
  const error = own.error ?? open.error;
  const reload = () => {
    own.reload();
    open.reload();
  };
  const more = own.more ?? open.more;
  return html`
    <div class="toolbar"><${SearchField} label="Search integrations" value=${q} onChange=${setQ} /></div>
    ${error && html`<${Failure} error=${error} retry=${reload} />`}
    ${!all.length && !error && (own.loading || open.loading) && html`<${Loading} />`}
    ${!all.length && !error && !own.loading && !open.loading && html`<p class="muted">No integration is called so.</p>`}
    <ul class="choices">
      ${all.map(
        (one) => html`<li key=${one.key}><button type="button" onClick=${() => onChoose(one)}>
          <${Picture} src=${null} name=${one.name} />
          <span><strong><bdi>${one.name}</bdi></strong> <span class="muted">${one.key}</span></span>
        </button></li>`,
      )}
    </ul>
    <div class="row spread">
      <${Button} onClick=${onClose}>Cancel</${Button}>
      ${more && html`<${Button} busy=${own.loading || open.loading} onClick=${more}>Load more</${Button}>`}
    </div>
  `;
}

/**
 * @param {{ integration: Choosable, space: string, onBack: () => void, onMade: (link: Link) => void }} props
 */
function ConnectForm({ integration, space, onBack, onMade }) {
  const { organization } = useSession();
  const spaces = /** @type {import("../kit/api.js").Listed<Space>} */ (
    useList(`${organization}/spaces?limit=100`)
  );
  const making = useAction();
  const [chosen, choose] = useState(space);
  const where = chosen || (spaces.items[0]?.slug ?? "");
  const [customer, setCustomer] = useState("");
  const [person, setPerson] = useState("");
  const [interval, setInterval] = useState("5m");
  const [seconds, setSeconds] = useState(A_DAY);
  // The first space is the one to begin with: nothing is sent before it is known.
  const busy = making.busy || spaces.loading;
  /** @param {Event} event */
  const make = async (event) => {
    event.preventDefault();
    if (busy) return;
    const body = {
      integration: integration.key,
      space: where || undefined,
      external_account_id: customer || undefined,
      end_user: person ? { id: customer || person, name: person } : undefined,
      monitor: interval ? { enabled: true, interval } : undefined,
      expires_in_seconds: Number(seconds),
    };
    const made = await making.run(`${organization}/install-sessions`, { body });
    if (made) onMade(made);
  };
  const refused = unshown(making.error, ["/space", "/external_account_id", "/end_user/name"]);
  /** @type {[string, string][]} */
  const options = spaces.items.map((one) => [one.slug, `${one.name} (${one.slug})`]);
  if (where && !spaces.items.some((one) => one.slug === where)) options.unshift([where, where]);
  return html`<form class="stack" onSubmit=${make} novalidate>
    <${SelectField} label="Space" value=${where} options=${options} onChange=${choose} error=${making.errorAt("/space")} />
    ${spaces.error && html`<${Failure} error=${spaces.error} retry=${spaces.reload} title="The spaces can't be read" />`}
    <${TextField} label="Customer" optional value=${customer} onChange=${setCustomer} error=${making.errorAt("/external_account_id")}
      help="Your own id of the customer. The connection is found by it." />
    <${TextField} label="Name of the person" optional value=${person} onChange=${setPerson} error=${making.errorAt("/end_user/name")}
      help="Who connects: the page says hello with it." />
    <div class="halves">
      <${SelectField} label="Monitor" value=${interval} options=${MONITORS} onChange=${setInterval} />
      <${Validity} value=${seconds} onChange=${setSeconds} />
    </div>
    ${refused && html`<${Failure} error=${refused} title="No link was made" />`}
    <div class="row spread">
      <${Button} onClick=${onBack}>Back</${Button}>
      <${Button} type="submit" kind="primary" busy=${busy}>Make the link</${Button}>
    </div>
  </form>`;
}
