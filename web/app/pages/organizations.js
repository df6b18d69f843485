/** All organizations of the deployment, for its operator. */

import { queryText, useAction, useList } from "../../kit/api.js";
import { Badge, Button, Dialog, Empty, Icon, Table, Time } from "../../kit/elements.js";
import { html, useState } from "../../vendor/preact.js";
import { ADMIN, ListView, PageHead, SearchField, useQuery, useSession } from "../dashboard.js";
import { FormDialog, TextField, unshown } from "../fields.js";

/** @typedef {import("#api").components["schemas"]["Organization"]} Organization */

/** @param {string} organization */
const overviewOf = (organization) => `/app${queryText({ organization })}`;

export default function Organizations() {
  const { session, can } = useSession();
  const [search, setSearch] = useQuery("q");
  const [adding, setAdding] = useState(false);
  const allowed = can(ADMIN);
  const list = /** @type {import("../../kit/api.js").Listed<Organization>} */ (
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
  const make = async () => {
    const body = { name, ...(externalId ? { external_id: externalId } : {}) };
    const answer = await making.run("/v1/organizations", { body });
    if (!answer) return;
    setMade(answer);
    onDone();
  };
  if (made) {
    return html`<${Dialog} title="Organization created" onClose=${onClose}>
      <p><strong><bdi>${made.name}</bdi></strong> has no space yet. Create its first one, then a key for its product.</p>
      <div class="row spread">
        <${Button} onClick=${onClose}>Close</${Button}>
        <a class="button primary" href=${overviewOf(made.id)}>Go there</a>
      </div>
    </${Dialog}>`;
  }
  const error = unshown(making.error, ["/name", "/external_id"]);
  return html`<${FormDialog} title="New organization" confirm="Create organization" busy=${making.busy} error=${error}
    failed="It was not created" onSubmit=${make} onClose=${onClose}>
    <${TextField} label="Name" required autofocus value=${name} onChange=${setName} error=${making.errorAt("/name")} />
    <${TextField} label="External id" optional code value=${externalId} onChange=${setExternalId}
      error=${making.errorAt("/external_id")} help="Your own id of this customer, to find it by." />
  </${FormDialog}>`;
}
