/** The audit trail: who changed what, and when. */

import { at, queryText, useList } from "../../kit/api.js";
import { Empty, Icon, Time } from "../../kit/elements.js";
import { html } from "../../vendor/preact.js";
import { Choice, href, ListView, MANAGE, PageHead, SearchField, useQuery, useSession } from "../dashboard.js";
import { ALL } from "../release_view.js";

/** @typedef {import("#api").components["schemas"]["AuditEvent"]} AuditEvent */

/** @type {[AuditEvent["entity"], string][]} */
const ENTITIES = [
  ["organization", "Organization"],
  ["space", "Space"],
  ["api_key", "API key"],
  ["browser_session", "Browser session"],
  ["sign_in_link", "Sign-in link"],
  ["integration", "Integration"],
  ["source", "Source"],
  ["destination", "Destination"],
  ["connection", "Connection"],
  ["grant", "Grant"],
  ["install_session", "Install session"],
  ["oauth_application", "OAuth application"],
  ["data_key", "Data key"],
  ["alert_rule", "Alert rule"],
  ["alert", "Alert"],
];
const DAY = /^\d{4}-\d\d-\d\d$/;

/** A day of the reader's calendar as an instant. @param {string} day @param {number} later in days */
function instant(day, later) {
  if (!DAY.test(day)) return "";
  const time = new Date(`${day}T00:00`);
  time.setDate(time.getDate() + later);
  return Number.isNaN(time.getTime()) ? "" : time.toISOString();
}

export default function Audit() {
  const { organization, why } = useSession();
  const [entity, setEntity] = useQuery("entity");
  const [entityId, setEntityId] = useQuery("entity_id");
  const [subject, setSubject] = useQuery("subject");
  const [since, setSince] = useQuery("since");
  const [until, setUntil] = useQuery("until");
  const query = queryText({
    entity,
    entity_id: entityId.trim(),
    subject: subject.trim(),
    since: instant(since, 0),
    until: instant(until, 1),
    limit: 50,
  });
  const refused = why(MANAGE);
  const list = useList(refused ? null : `${organization}/audit-events${query}`);
  const keys = useList(refused ? null : `${organization}/api-keys?limit=100`);
  const names = new Map(/** @type {any[]} */ (keys.items).map((key) => [key.id, key.name]));
  const filtered = entity || entityId || subject || since || until;
  const clear = html`<a class="button" href=${href("/audit")}>Clear the filters</a>`;
  const empty = filtered
    ? html`<${Empty} icon="search" title="Nothing in the trail matches" action=${clear}>Widen the days, or leave out a filter.</${Empty}>`
    : html`<${Empty} icon="list" title="Nothing has been changed yet">Every change leaves an event here, for 400 days.</${Empty}>`;
  /** @param {string} label @param {string} value @param {(value: string) => void} set */
  const date = (label, value, set) => html`<label class="choice">${label}
    <input type="date" value=${value} onChange=${(/** @type {any} */ event) => set(event.target.value)} /></label>`;
  return html`<div class="stack">
    <${PageHead} title="Audit trail"><p class="muted">Who changed what, and when. Refused requests change nothing and leave nothing.</p></${PageHead}>
    ${
      refused
        ? html`<${Empty} icon="lock" title="You can't see the trail">${refused}.</${Empty}>`
        : html`<div class="toolbar">
            <${SearchField} label="Id of what was changed" value=${entityId} onChange=${setEntityId} />
            <${Choice} label="Kind" value=${entity} options=${[ALL, ...ENTITIES]} onChange=${setEntity} />
            <label class="choice">By <input type="search" placeholder="key_… or jwt:…" value=${subject}
              onChange=${(/** @type {any} */ event) => setSubject(event.target.value)} /></label>
            ${date("From", since, setSince)}${date("To", until, setUntil)}
          </div>
          <${ListView} list=${list} empty=${empty}>
            <ol class="card flush trail">${
              /** @type {AuditEvent[]} */ (list.items).map(
                (event) => html`<${Entry} key=${event.id} event=${event} names=${names} />`,
              )
            }</ol>
          </${ListView}>`
    }
  </div>`;
}

/** Where a thing is shown. @param {AuditEvent} event */
function pageOf({ entity, entity_id: id, action }) {
  if (action === "deleted" && entity !== "integration") return null;
  if (entity === "integration") return href(at`/integrations/${id}`);
  if (entity === "connection") return href(at`/connections/${id}`);
  return null;
}

/** @param {unknown} value */
const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value));

/** @param {{ event: AuditEvent, names: Map<string, string> }} props */
function Entry({ event, names }) {
  const { before, after, subject } = event;
  const kind = ENTITIES.find(([key]) => key === event.entity)?.[1] ?? event.entity;
  const name = shown(
    after?.["name"] ?? before?.["name"] ?? after?.["slug"] ?? before?.["slug"] ?? event.entity_id,
  );
  const page = pageOf(event);
  const told = (/** @type {any} */ value) => value != null && !(Array.isArray(value) && !value.length);
  const fields = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])].filter(
    (field) => told(before?.[field]) || told(after?.[field]),
  );
  const who = names.get(subject);
  return html`<li>
    <details>
      <summary>
        <span class="what"><span class="chip">${event.action.replaceAll("_", " ")}</span> ${kind} <strong><bdi>${name}</bdi></strong></span>
        <span class="muted clip">${who ? html`<bdi>${who}</bdi>` : html`<code>${subject}</code>`}</span>
        <span class="muted"><${Time} at=${event.at} /></span>
      </summary>
      <div class="stack">
        ${
          fields.length > 0 &&
          html`<dl class="facts">${fields.map(
            (
              field,
            ) => html`<dt class="mono">${field}</dt><dd>${before && after && html`<${Value} value=${before[field]} /> <span aria-hidden="true">→</span><span class="visually-hidden">became</span> `}
              <${Value} value=${(after ?? before)?.[field]} /></dd>`,
          )}</dl>`
        }
        ${event.secrets_entered.length > 0 && html`<p><${Icon} name="lock" /> Secrets entered: ${event.secrets_entered.map((one) => html`<code class="chip">${one}</code> `)}</p>`}
        <p class="muted row">
          ${page && html`<a href=${page}>Open it</a>`}
          <a href=${href("/audit", { entity_id: event.entity_id })}>All about it</a>
          <a href=${href("/audit", { subject })}>All by the same</a>
          <span>Id <code>${event.entity_id}</code></span>
          <span>By <code>${subject}</code></span>
          ${event.trace_id && html`<span>Trace id <code>${event.trace_id}</code></span>`}
        </p>
      </div>
    </details>
  </li>`;
}

/** @param {{ value: any }} props */
function Value({ value }) {
  if (value === undefined || value === null) return html`<span class="muted">–</span>`;
  if (value.sha256 && value.bytes)
    return html`<span class="muted">${value.bytes} bytes, SHA-256 <code>${String(value.sha256).slice(0, 12)}…</code></span>`;
  return html`<span class="wrapped mono">${shown(value)}</span>`;
}
