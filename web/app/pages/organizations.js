/** All organizations of the deployment, for its operator. */

import { queryText, useAction, useList } from "../../shared/api.js";
import { Badge, Button, Dialog, Empty, Failure, Field, Icon, Table, Time } from "../../shared/elements.js";
import { html, useState } from "../../vendor/preact.js";
import { ADMIN, ListView, PageHead, SearchField, useQuery, useSession } from "../dashboard.js";

/** @typedef {import("#api").components["schemas"]["Organization"]} Organization */

/** @param {string} organization */
const overviewOf = (organization) => `/app${queryText({ organization })}`;

export default function Organizations() {
  const { session, can } = useSession();
  const [search, setSearch] = useQuery("q");
  const [adding, setAdding] = useState(false);
  const allowed = can(ADMIN);
  const list = /** @type {import("../../shared/api.js").Listed<Organization>} */ (
    useList(allowed ? `/v1/organizations${queryText({ q: search.trim(), limit: 50 })}` : null)
  );
  if (!allowed) {
    return html`<div class="stack"><${PageHead} title="Organizations" />
      <div class="card"><${Empty} icon="lock" title="Only the operator sees all organizations" /></div></div>`;
  }
  const add = html`<${Button} kind="primary" onClick=${() => setAdding(true)}><${Icon} name="plus" />New organization</${Button}>`;
  return html`<div class="stack">
    <${PageHead} title="Organizations" actions=${add} />
    <div class="toolbar">
      <${SearchField} label="Search by name or external id" value=${search} onChange=${setSearch} />
    </div>
    <${ListView} list=${list} empty=${html`<div class="card"><${Empty} icon=${search ? "search" : "list"}
        title=${search ? "No organization matches" : "No organization yet"}
        action=${search ? html`<${Button} onClick=${() => setSearch("")}>Clear the search</${Button}>` : add} /></div>`}>
      <div class="card flush">
        <${Table} caption="Organizations" heads=${["Organization", html`<span class="wide">External id</span>`, "State", html`<span class="wide">Created</span>`]}>
          ${list.items.map(
            (one) => html`<tr key=${one.id} class="linked">
              <th scope="row">
                <a class="whole" href=${overviewOf(one.id)}><bdi>${one.name}</bdi></a>
                <div class="muted mono below">${one.id}</div>
              </th>
              <td class="wide"><bdi>${one.external_id}</bdi></td>
              <td>${one.paused ? html`<${Badge} tone="idle" icon="pause">Paused</${Badge}>` : html`<${Badge} tone="ok">Active</${Badge}>`}
                ${one.id === session.organization.id && html` <${Badge} tone="info">Yours</${Badge}>`}</td>
              <td class="wide nowrap"><${Time} at=${one.created_at} /></td>
            </tr>`,
          )}
        </${Table}>
      </div>
    </${ListView}>
    ${adding && html`<${NewOrganization} onDone=${list.reload} onClose=${() => setAdding(false)} />`}
  </div>`;
}

/** @param {{ onDone: () => void, onClose: () => void }} props */
function NewOrganization({ onDone, onClose }) {
  const [name, setName] = useState("");
  const [externalId, setExternalId] = useState("");
  const [made, setMade] = useState(/** @type {Organization | null} */ (null));
  const making = useAction();
  /** @param {Event} event */
  const make = async (event) => {
    event.preventDefault();
    const body = { name, ...(externalId ? { external_id: externalId } : {}) };
    const answer = await making.run("/v1/organizations", { body });
    if (!answer) return;
    setMade(answer);
    onDone();
  };
  const value = (/** @type {Event} */ event) => /** @type {HTMLInputElement} */ (event.target).value;
  const placed = making.errorAt("/name") ?? making.errorAt("/external_id");
  if (made) {
    return html`<${Dialog} title="Organization created" onClose=${onClose}>
      <p><strong><bdi>${made.name}</bdi></strong> has no space yet. Create its first one, then a key for its product.</p>
      <div class="row spread">
        <${Button} onClick=${onClose}>Close</${Button}>
        <a class="button primary" href=${overviewOf(made.id)}>Go there</a>
      </div>
    </${Dialog}>`;
  }
  return html`<${Dialog} title="New organization" onClose=${onClose}>
    <form class="stack" onSubmit=${make} novalidate>
      <${Field} label="Name" required error=${making.errorAt("/name")}>
        ${(/** @type {Record<string, unknown>} */ control) =>
          html`<input ...${control} type="text" dir="auto" autofocus value=${name}
            onInput=${(/** @type {Event} */ event) => setName(value(event))} />`}
      </${Field}>
      <${Field} label="External id" optional="optional" error=${making.errorAt("/external_id")}
        help="Your own id of this customer, to find it by.">
        ${(/** @type {Record<string, unknown>} */ control) =>
          html`<input ...${control} type="text" class="mono" value=${externalId}
            onInput=${(/** @type {Event} */ event) => setExternalId(value(event))} />`}
      </${Field}>
      ${making.error && !placed && html`<${Failure} error=${making.error} title="It was not created" />`}
      <div class="row spread">
        <${Button} onClick=${onClose}>Cancel</${Button}>
        <${Button} type="submit" kind="primary" busy=${making.busy}>Create organization</${Button}>
      </div>
    </form>
  </${Dialog}>`;
}
