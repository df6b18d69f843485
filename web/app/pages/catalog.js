/** The catalog: what can be connected. */

import { at, queryText, useList } from "../../kit/api.js";
import { Badge, Empty, Picture } from "../../kit/elements.js";
import { html } from "../../vendor/preact.js";
import { Choice, href, ListView, MANAGE, PageHead, SearchField, useQuery, useSession } from "../dashboard.js";
import { ALL, AUTH_TYPES, CAPABILITIES, ROLES, TIERS, Tier, wordOf } from "../release_view.js";

/** @typedef {import("#api").components["schemas"]["CatalogEntry"]} Entry */

export default function Catalog() {
  const { can } = useSession();
  const [q, setQ] = useQuery("q");
  const [trustTier, setTier] = useQuery("trustTier");
  const [capability, setCapability] = useQuery("capability");
  const [role, setRole] = useQuery("role");
  const [authType, setAuthType] = useQuery("authType");
  const asked = { trustTier, capability, role, authType };
  const list = useList(`/v1/catalog${queryText({ q: q.trim(), ...asked, limit: 60 })}`);
  const filtered = Boolean(q.trim()) || Object.values(asked).some(Boolean);
  const clear = html`<a class="button" href=${href("/catalog")}>Clear the filters</a>`;
  const publish =
    can(MANAGE) &&
    html`<a class="button primary" href=${href("/integrations", { new: "1" })}>Define an integration</a>`;
  return html`<div class="stack">
    <${PageHead} title="Catalog"><p class="muted">Integrations that everybody here can connect.</p></${PageHead}>
    <div class="toolbar">
      <${SearchField} label="Search the catalog" value=${q} onChange=${setQ} />
      <${Choice} label="Trust" value=${trustTier} options=${[ALL, ...TIERS]} onChange=${setTier} />
      <${Choice} label="Can do" value=${capability} options=${[ALL, ...CAPABILITIES]} onChange=${setCapability} />
      <${Choice} label="Role" value=${role} options=${[ALL, ...ROLES]} onChange=${setRole} />
      <${Choice} label="Auth" value=${authType} options=${[ALL, ...AUTH_TYPES]} onChange=${setAuthType} />
    </div>
    <${ListView}
      list=${list}
      empty=${
        filtered
          ? html`<${Empty} icon="search" title="Nothing in the catalog matches" action=${clear}>Try another word, or fewer filters.</${Empty}>`
          : html`<${Empty} icon="book" title="The catalog is empty" action=${publish}>
              An integration is here once it is published and public.</${Empty}>`
      }
    >
      <ul class="grid plain">${/** @type {Entry[]} */ (list.items).map((entry) => html`<${Card} key=${entry.id} entry=${entry} />`)}</ul>
    </${ListView}>
  </div>`;
}

/** @param {{ entry: Entry }} props */
const Card = ({ entry }) => html`<li class="card entry">
  <div class="titled">
    <${Picture} src=${null} name=${entry.name} size=${36} />
    <div>
      <h2><a class="whole" href=${href(at`/catalog/${entry.key.split("/")[0] ?? ""}/${entry.slug}`)}><bdi>${entry.name}</bdi></a></h2>
      <div class="muted mono">${entry.key}</div>
    </div>
    <span class="grow"></span>
    <span class="muted">${entry.currentVersion}</span>
  </div>
  ${entry.deprecated && html`<div><${Badge} tone="warn">Deprecated</${Badge}></div>`}
  <p class="muted clamp" dir="auto">${entry.description}</p>
  <p class="muted">
    ${entry.trustTier === "community" ? "Community" : html`<${Tier} tier=${entry.trustTier} />`}
    ${[wordOf(AUTH_TYPES, entry.authType), ...entry.capabilities.map((one) => wordOf(CAPABILITIES, one))].map((one) => ` · ${one}`)}
  </p>
</li>`;
