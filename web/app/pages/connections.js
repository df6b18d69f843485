/** All connections of the organization, those first that need somebody. */

import { at, useList } from "../../kit/api.js";
import { Badge, Button, Empty, exactly, number, Table, Time } from "../../kit/elements.js";
import { html, useMemo, useState } from "../../vendor/preact.js";
import { HEALTH_CHOICES, LIFECYCLE_CHOICES, since, stateOf, TO_DO } from "../connection_words.js";
import { Choice, href, ListView, MANAGE, PageHead, SearchField, useQuery, useSession } from "../dashboard.js";

/**
 * @typedef {import("#api").components["schemas"]["Connection"]} Connection
 * @typedef {import("#api").components["schemas"]["ConnectionHealth"]} ConnectionHealth
 * @typedef {import("#api").components["schemas"]["Space"]} Space
 * @typedef {import("#api").components["schemas"]["Endpoint"]} Endpoint
 * @typedef {{ id: string, name: string, space: string, lifecycle: Connection["status"],
 *   health: Connection["health"]["status"], since: string | null, checkedAt: string | null,
 *   code: string | null, action: Connection["required_action"] }} Row
 */

const PAGE = 100;

/** @param {Connection} one @returns {Row} */
const ofConnection = (one) => ({
  id: one.id,
  name: one.name,
  space: one.space,
  lifecycle: one.status,
  health: one.health.status,
  since: one.health.since,
  checkedAt: one.health.checked_at,
  code: one.health.error_code,
  action: one.required_action,
});

/** @param {ConnectionHealth} one @param {string} space @returns {Row} */
const ofHealth = (one, space) => ({
  id: one.connection_id,
  name: one.name,
  space,
  lifecycle: one.lifecycle,
  health: one.status,
  since: one.since,
  checkedAt: one.checked_at,
  code: one.error_code,
  action: one.required_action,
});

/** How much a connection needs somebody: the less, the more. @param {Row} row */
const rank = (row) =>
  row.lifecycle === "active"
    ? ["error", "disconnected", "unknown", "connected"].indexOf(row.health)
    : 4 + ["draft", "paused", "disabled"].indexOf(row.lifecycle);

export default function Connections() {
  const { connectors, session, why } = useSession();
  const [q, setQ] = useQuery("q");
  const [space, setSpace] = useQuery("space");
  const [health, setHealth] = useQuery("health");
  const [status, setStatus] = useQuery("status");
  const [integration, setIntegration] = useQuery("integration");
  const [Connect, setConnect] = useState(/** @type {{ dialog: unknown } | null} */ (null));
  const filtered = Boolean(q || health || status || integration);
  const where = space || session.space?.slug || "";
  // Only the list of one space, as a whole, is in the order of need. Of the others, what is loaded is put in it.
  const inOrder = Boolean(where) && !filtered;
  const query = new URLSearchParams({ limit: String(PAGE) });
  for (const [name, value] of Object.entries({ q, space: where, health, status, integration })) {
    if (value && !inOrder) query.set(name, value);
  }
  const list = useList(
    inOrder
      ? `${at`/spaces/${where}`}/integration-health/connections?${query}`
      : `${connectors}/connections?${query}`,
  );
  const rows = useMemo(
    () =>
      inOrder
        ? /** @type {ConnectionHealth[]} */ (list.items).map((one) => ofHealth(one, where))
        : /** @type {Connection[]} */ (list.items)
            .map(ofConnection)
            .sort((one, other) => rank(one) - rank(other)),
    [list.items, inOrder, where],
  );
  const connect = async () => {
    const { ConnectDialog } = await import("../install_links.js");
    setConnect({ dialog: ConnectDialog });
  };
  const clear = () => {
    for (const set of [setQ, setSpace, setHealth, setStatus, setIntegration]) set("");
  };
  const cannot = why(MANAGE) ?? (session.space ? "A key of one space can't make links" : null);
  const button = html`<${Button} kind="primary" why=${cannot} onClick=${connect}>Connect</${Button}>`;
  const empty = filtered
    ? html`<${Empty} icon="search" title="No connection is like that" action=${html`<${Button} onClick=${clear}>Clear the filters</${Button}>`} />`
    : html`<${Empty} icon="plug" title=${where ? "Nothing is connected in this space yet" : "Nothing is connected yet"} action=${button}>
        Make a link, and send it to whoever has the account at the provider.</${Empty}>`;
  return html`<div class="stack">
    <${PageHead} title="Connections" actions=${button} />
    <div class="toolbar">
      <${SearchField} label="Search connections" value=${q} onChange=${setQ} />
      ${!session.space && html`<${SpaceChoice} value=${space} onChange=${setSpace} />`}
      <${Choice} label="Health" value=${health} options=${HEALTH_CHOICES} onChange=${setHealth} />
      <${Choice} label="Status" value=${status} options=${LIFECYCLE_CHOICES} onChange=${setStatus} />
      ${!session.space && html`<${IntegrationChoice} value=${integration} onChange=${setIntegration} />`}
    </div>
    <div class="card flush">
      <${ListView} list=${list} empty=${empty}><${Rows} rows=${rows} /></${ListView}>
    </div>
    ${!inOrder && list.more && rows.length > 0 && html`<p class="muted">What needs somebody is first among the ${number(rows.length)} that are loaded. Choose a space to have all of its connections in this order.</p>`}
    ${Connect && html`<${Connect.dialog} space=${space} onClose=${() => setConnect(null)} />`}
  </div>`;
}

/** @param {{ rows: Row[] }} props */
const Rows = ({ rows }) => html`
  <${Table} caption="Connections" heads=${["Connection", wide("Space"), "State", wide("To do"), wide("Last test")]}>
    ${rows.map((row) => {
      const active = row.lifecycle === "active";
      const [tone, word] = stateOf(row.lifecycle, row.health);
      const needs = active && row.action !== "none";
      return html`<tr key=${row.id}>
        <th scope="row"><a href=${href(at`/connections/${row.id}`)}><bdi>${row.name}</bdi></a>
          <div class="narrow muted">${row.space}${needs && html` · ${TO_DO[row.action]}`}</div></th>
        <td class="wide line muted">${row.space}</td>
        <td class="line"><${Badge} tone=${tone} icon=${active ? undefined : "pause"}>${word}</${Badge}>
          ${active && row.since && html` <span class="wide muted" title=${exactly(row.since)}>for ${since(row.since)}</span>`}</td>
        <td class="wide line">${needs ? html`${TO_DO[row.action]} ${row.code && html`<code class="muted">${row.code}</code>`}` : html`<span class="muted">–</span>`}</td>
        <td class="wide line muted"><${Time} at=${row.checkedAt} /></td>
      </tr>`;
    })}
  </${Table}>
`;

/** A head that narrow pages leave out with its column. @param {string} word */
const wide = (word) => html`<span class="wide">${word}</span>`;

/**
 * The spaces are read when somebody comes near, so that the list itself is there sooner.
 *
 * @param {{ value: string, onChange: (slug: string) => void }} props
 */
function SpaceChoice({ value, onChange }) {
  const { organization } = useSession();
  const [near, setNear] = useState(false);
  const spaces = useList(near ? `${organization}/spaces?limit=100` : null);
  /** @type {[string, string][]} */
  const options = /** @type {Space[]} */ (spaces.items).map((one) => [one.slug, one.name]);
  const known = options.some(([slug]) => slug === value);
  const come = () => setNear(true);
  return html`<div onFocusIn=${come} onPointerEnter=${come}>
    <${Choice} label="Space" value=${value} onChange=${onChange}
      options=${[["", "All"], ...(value && !known ? [[value, value]] : []), ...options]} />
  </div>`;
}

/**
 * The integrations of the organization's sources; any other can be typed into the address.
 *
 * @param {{ value: string, onChange: (key: string) => void }} props
 */
function IntegrationChoice({ value, onChange }) {
  const { connectors } = useSession();
  const [near, setNear] = useState(false);
  const sources = useList(near ? `${connectors}/sources?limit=100` : null);
  const keys = [
    ...new Set([
      ...(value ? [value] : []),
      .../** @type {Endpoint[]} */ (sources.items).map((one) => one.integration),
    ]),
  ];
  const come = () => setNear(true);
  return html`<div class="row" onFocusIn=${come} onPointerEnter=${come}>
    <${Choice} label="Integration" value=${value} onChange=${onChange}
      options=${[["", "All"], ...keys.sort().map((key) => [key, key])]} />
    ${sources.more && html`<${Button} kind="small" busy=${sources.loading} onClick=${sources.more}>More</${Button}>`}
  </div>`;
}
