/** The events of a space: by type, outcome, connection, and time. */

import { at, queryText, useList, useResource } from "../../kit/api.js";
import { Button, CopyButton, Empty, Field, Icon, Table } from "../../kit/elements.js";
import { html, useMemo, useState } from "../../vendor/preact.js";
import { Choice, ListView, SearchField, useQuery } from "../dashboard.js";
import { EVENT_HEADS, EventDetails, EventRow, firstEvent, TYPE_CHOICES } from "../event_words.js";
import { SpaceFrame } from "../space_frame.js";

/** @typedef {import("#api").components["schemas"]} Schemas */

/** @type {[string, string][]} */
const OUTCOMES = [
  ["", "Any"],
  ["ERROR", "Error"],
  ["SUCCESS", "Success"],
];

/** Hours back from now. @type {[string, string][]} */
const TIMES = [
  ["", "Any time"],
  ["1", "Last hour"],
  ["24", "Last day"],
  ["168", "Last 7 days"],
  ["custom", "Between…"],
];
const HOUR_MS = 3_600_000;
/** As many connections are offered by name as the API gives at once. */
const OFFERED = 100;

/** @param {{ slug: string }} props */
export default function Events({ slug }) {
  const path = at`/spaces/${slug}`;
  const [type, setType] = useQuery("type");
  const [status, setStatus] = useQuery("status");
  const [connection, setConnection] = useQuery("connection");
  const [last, setLast] = useQuery("last");
  const [since, setSince] = useQuery("since");
  const [until, setUntil] = useQuery("until");
  const [search, setSearch] = useQuery("q");
  const [open, setOpen] = useState(/** @type {Schemas["Event"] | null} */ (null));
  const between = last === "custom" || Boolean(since || until);
  // "The last hour" is that before it was chosen: else each look would be another list.
  const begin = useMemo(
    () => (Number(last) ? new Date(Date.now() - Number(last) * HOUR_MS).toISOString() : ""),
    [last],
  );
  const filters = {
    integration_type: type,
    status,
    connection_id: connection,
    since: between ? since : begin,
    until: between ? until : "",
  };
  const list = /** @type {import("../../kit/api.js").Listed<Schemas["Event"]>} */ (
    useList(`${path}/integration-events${queryText({ ...filters, limit: 50 })}`)
  );
  const known = /** @type {import("../../kit/api.js").Resource<Schemas["ConnectionHealthList"]>} */ (
    useResource(`${path}/integration-health/connections?limit=${OFFERED}`)
  );
  const names = new Map(known.data?.items.map((one) => [one.connection_id, one.name]));
  const filtered = Object.values(filters).some(Boolean);
  const wanted = search.trim().toLowerCase();
  const found = wanted ? list.items.filter((event) => contains(event, names, wanted)) : list.items;
  /** @param {string} time */
  const choose = (time) => {
    setLast(time);
    setSince("");
    setUntil("");
  };
  const clear = () => {
    setType("");
    setStatus("");
    setConnection("");
    choose("");
    setSearch("");
  };
  return html`<${SpaceFrame} slug=${slug}>
    <div class="toolbar">
      <${SearchField} label="Search what is loaded" value=${search} onChange=${setSearch} />
      <${Choice} label="Outcome" value=${status} options=${OUTCOMES} onChange=${setStatus} />
      <${Choice} label="Type" value=${type} options=${TYPE_CHOICES} onChange=${setType} />
      <${WhichConnection} value=${connection} known=${known} onChange=${setConnection} />
      <${Choice} label="Time" value=${between ? "custom" : last} options=${TIMES} onChange=${choose} />
      ${(filtered || search) && html`<${Button} kind="quiet small" onClick=${clear}>Clear</${Button}>`}
      <${Button} kind="small" onClick=${list.reload} busy=${list.loading && list.items.length > 0}>Refresh</${Button}>
    </div>
    ${between && html`<${Between} since=${since} until=${until} onSince=${setSince} onUntil=${setUntil} />`}
    <${ListView} list=${list} empty=${html`<${Nothing} slug=${slug} filtered=${filtered} clear=${clear} />`}>
      ${
        found.length
          ? html`<div class="card flush">
              <${Table} caption="Events, newest first" heads=${EVENT_HEADS}>
                ${found.map(
                  (event) => html`<${EventRow} key=${event.id} event=${event} onOpen=${setOpen} exact
                    connection=${names.get(event.connection_id ?? "")} />`,
                )}
              </${Table}>
            </div>`
          : html`<div class="card"><${Empty} icon="search" title="None of the loaded events matches"
              action=${html`<${Button} onClick=${() => setSearch("")}>Clear the search</${Button}>`}>
              ${list.items.length} events were searched. ${list.more && "Load more to search further back."}
            </${Empty}></div>`
      }
    </${ListView}>
    ${!list.items.length && list.more && !list.loading && html`<p class="muted">No such event in the newest ones. Load more to look further back.</p>`}
    ${open && html`<${EventDetails} event=${open} connection=${names.get(open.connection_id ?? "")} onClose=${() => setOpen(null)} />`}
  </${SpaceFrame}>`;
}

/**
 * @param {Schemas["Event"]} event
 * @param {Map<string, string>} names of connections
 * @param {string} wanted in lower case
 */
const contains = (event, names, wanted) =>
  [event.id, event.error_code, event.message, event.connection_id, names.get(event.connection_id ?? "")]
    .concat(event.metadata ? JSON.stringify(event.metadata) : [])
    .some((text) => text?.toLowerCase().includes(wanted));

/**
 * @param {{ value: string, known: import("../../kit/api.js").Resource<Schemas["ConnectionHealthList"]>,
 *   onChange: (value: string) => void }} props
 */
function WhichConnection({ value, known, onChange }) {
  const items = known.data?.items ?? [];
  const options = /** @type {[string, string][]} */ ([
    ["", "Any"],
    ...items.map((one) => [one.connection_id, one.name]),
  ]);
  // One that isn't among the worst hundred comes by a link.
  if (value && !items.some((one) => one.connection_id === value)) options.push([value, value]);
  return html`<${Choice} label="Connection" value=${value} options=${options} onChange=${onChange} />`;
}

/** @param {string} at as in the address @returns {string} as an input of the browser has it, in its zone */
function localTime(at) {
  const time = new Date(at);
  if (!at || Number.isNaN(time.getTime())) return "";
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/**
 * @param {{ since: string, until: string, onSince: (at: string) => void, onUntil: (at: string) => void }} props
 */
function Between({ since, until, onSince, onUntil }) {
  /** @param {(at: string) => void} tell */
  const hear = (tell) => (/** @type {Event} */ event) => {
    const typed = /** @type {HTMLInputElement} */ (event.target).value;
    tell(typed && new Date(typed).toISOString());
  };
  const wrong = since && until && since >= until ? "The end is not after the beginning." : null;
  return html`<div class="toolbar between">
    <${Field} label="From">
      ${(/** @type {Record<string, unknown>} */ control) =>
        html`<input ...${control} type="datetime-local" value=${localTime(since)} onChange=${hear(onSince)} />`}
    </${Field}>
    <${Field} label="Until" error=${wrong}>
      ${(/** @type {Record<string, unknown>} */ control) =>
        html`<input ...${control} type="datetime-local" value=${localTime(until)} onChange=${hear(onUntil)} />`}
    </${Field}>
  </div>`;
}

/** @param {{ slug: string, filtered: boolean, clear: () => void }} props */
function Nothing({ slug, filtered, clear }) {
  if (filtered) {
    return html`<div class="card"><${Empty} icon="search" title="No event matches these filters"
      action=${html`<${Button} onClick=${clear}>Clear the filters</${Button}>`} /></div>`;
  }
  const text = firstEvent(slug);
  return html`<section class="card section">
    <h2><${Icon} name="list" /> No event yet</h2>
    <p>An event says that something succeeded or failed. Tests of connections come by themselves; send your own:</p>
    <pre tabindex="0">${text}</pre>
    <div class="row"><${CopyButton} text=${text} label="Copy the command" /></div>
  </section>`;
}
