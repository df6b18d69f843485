/** The organization's own integrations, and how a draft begins. */

import { at, queryText, request, useAction, useList } from "../../kit/api.js";
import { Badge, Button, Empty, Icon, Picture, Table, Time } from "../../kit/elements.js";
import { html, useState } from "../../vendor/preact.js";
import {
  Choice,
  go,
  href,
  ListView,
  MANAGE,
  PageHead,
  SearchField,
  useQuery,
  useSession,
} from "../dashboard.js";
import { FormDialog, SelectField, slugOf, TextField, unshown } from "../fields.js";
import { ALL, VISIBILITIES, wordOf } from "../release_view.js";

/** @typedef {import("#api").components["schemas"]["Integration"]} Integration */

export default function Integrations() {
  const { organization, why } = useSession();
  const [q, setQ] = useQuery("q");
  const [workspaceId, setSpace] = useQuery("workspaceId");
  const [visibility, setVisibility] = useQuery("visibility");
  const [deleted, setDeleted] = useQuery("deleted");
  const [creating, setCreating] = useQuery("new");
  const spaces = useList(`${organization}/spaces?limit=100`);
  const list = useList(
    `/v1/integrations${queryText({ q: q.trim(), workspaceId, visibility, deleted, limit: 50 })}`,
  );
  /** @type {any[]} */
  const known = spaces.items;
  /** @param {string} id */
  const nameOf = (id) => known.find((space) => space.id === id)?.name ?? id;
  const filtered = Boolean(q.trim() || workspaceId || visibility || deleted);
  const create = html`<${Button} kind="primary" why=${why(MANAGE)} onClick=${() => setCreating("1")}><${Icon} name="plus" />New integration</${Button}>`;
  const empty = filtered
    ? html`<${Empty} icon="search" title="None of your integrations matches"
        action=${html`<a class="button" href=${href("/integrations")}>Clear the filters</a>`}>Try another word, or fewer filters.</${Empty}>`
    : html`<${Empty} icon="plug" title="You have not defined an integration" action=${create}>
        An integration says what to ask for, how to authenticate, and how to prove that it works. Begin with a draft.</${Empty}>`;
  return html`<div class="stack">
    <${PageHead} title="Integrations" actions=${create}><p class="muted">Your own definitions: drafts and what is published of them.</p></${PageHead}>
    <div class="toolbar">
      <${SearchField} label="Search your integrations" value=${q} onChange=${setQ} />
      <${Choice} label="Space" value=${workspaceId} onChange=${setSpace} options=${[ALL, ...known.map((space) => [space.id, space.name])]} />
      <${Choice} label="Visibility" value=${visibility} onChange=${setVisibility} options=${[ALL, ...VISIBILITIES]} />
      <${Choice} label="Show" value=${deleted} onChange=${setDeleted} options=${[["", "Kept"], ["true", "Deleted"]]} />
    </div>
    <${ListView} list=${list} empty=${empty}>
      <div class="card flush">
        <${Table} caption="Integrations" heads=${["Integration", "Released", html`<span class="wide">Visibility</span>`, html`<span class="wide">Space</span>`, deleted ? "Deleted" : "Changed"]}>
          ${
            /** @type {Integration[]} */ (list.items).map(
              (one) => html`<tr key=${one.id}>
              <th scope="row"><div class="titled">
                <${Picture} src=${null} name=${one.name} />
                <div><a href=${href(at`/integrations/${one.id}`)}><bdi>${one.name}</bdi></a><div class="muted mono">${one.key}</div></div>
              </div></th>
              <td>${one.currentVersion ?? html`<${Badge} tone="idle" icon="skip">Draft only</${Badge}>`}</td>
              <td class="wide">${wordOf(VISIBILITIES, one.visibility)}</td>
              <td class="wide"><bdi>${nameOf(one.workspaceId)}</bdi></td>
              <td><${Time} at=${one.deletedAt ?? one.updatedAt} /></td>
            </tr>`,
            )
          }
        </${Table}>
      </div>
    </${ListView}>
    ${creating && !why(MANAGE) && html`<${Create} spaces=${spaces} onClose=${() => setCreating("")} />`}
  </div>`;
}

/** A draft that can be published and tried at once, once its address is the right one. */
const SKELETON = {
  variablesSchema: {
    type: "object",
    additionalProperties: false,
    required: ["region"],
    properties: {
      region: { type: "string", title: "Region", enum: ["eu", "us"], description: "Where your account is." },
    },
  },
  authConfig: { type: "api_key", authHeaderName: "Authorization", authValuePrefix: "Bearer" },
  manifest: {
    roles: ["source"],
    capabilities: ["metadata_sync"],
    checks: {
      timeoutMs: 10000,
      steps: [
        {
          name: "account",
          kind: "http",
          request: { method: "GET", url: "https://{{variables.region}}.api.example.com/v1/me" },
          expect: { status: [200], json: { "/id": { type: "string" } } },
          account: "/id",
        },
      ],
    },
  },
};

/** @param {{ spaces: import("../../kit/api.js").Listed<any>, onClose: () => void }} props */
function Create({ spaces, onClose }) {
  const [from, setFrom] = useState("");
  const [typed, setTyped] = useState({ name: "", publisher: "", slug: "", workspaceId: "" });
  const [searched, search] = useState("");
  const found = useList(`/v1/catalog${queryText({ q: searched.trim(), limit: 50 })}`);
  const making = useAction();
  const [failure, setFailure] = useState(/** @type {Error | null} */ (null));
  /** @param {"name" | "publisher" | "slug" | "workspaceId"} part */
  const input = (part) => (/** @type {string} */ text) => setTyped({ ...typed, [part]: text });
  const slug = typed.slug || slugOf(typed.name);
  const workspaceId = typed.workspaceId || (spaces.items[0]?.id ?? "");
  const make = async () => {
    setFailure(null);
    let start = SKELETON;
    try {
      const [publisher = "", entry = ""] = from.split("/");
      if (from) start = (await request(at`/v1/catalog/${publisher}/${entry}`)).data;
    } catch (error) {
      setFailure(/** @type {Error} */ (error));
      return;
    }
    const {
      manifest,
      variablesSchema,
      authConfig,
      description = null,
      iconUrl = null,
    } = /** @type {any} */ (start);
    const body = { ...typed, slug, workspaceId, manifest, variablesSchema, authConfig, description, iconUrl };
    const made = await making.run("/v1/integrations", { body });
    if (made) go(href(at`/integrations/${made.id}`));
  };
  const places = /** @type {[string, string][]} */ (
    spaces.items.map((space) => [space.id, `${space.name} (${space.slug})`])
  );
  const copies = /** @type {[string, string][]} */ (
    [...new Set([from, ...found.items.map((/** @type {any} */ one) => one.key)])].map((key) => [key, key])
  );
  const error = failure ?? unshown(making.error, ["/name", "/publisher", "/slug", "/workspaceId"]);
  return html`<${FormDialog} title="New integration" confirm="Make the draft" busy=${making.busy || spaces.loading} error=${error} failed="Nothing was made" onSubmit=${make} onClose=${onClose}>
    <${TextField} label="Name" required autofocus maxlength="120" value=${typed.name} onChange=${input("name")} error=${making.errorAt("/name")} />
    <${TextField} label="Publisher" required maxlength="120" value=${typed.publisher} onChange=${input("publisher")} error=${making.errorAt("/publisher")}
      help="Its maker, such as your company. It can't be changed later." />
    <${TextField} label="Slug" required code maxlength="63" value=${slug} onChange=${input("slug")} error=${making.errorAt("/slug")}
      help="Its name in addresses: a-z, 0-9, and hyphens. It can't be changed later." />
    <${SelectField} label="Space" required value=${workspaceId} options=${places} onChange=${input("workspaceId")} error=${making.errorAt("/workspaceId")}
      help=${!spaces.loading && !places.length && "There is no space yet: make one in the settings first."} />
    <fieldset class="field">
      <legend>Begin with</legend>
      <div class="check"><input type="radio" name="from" id="from-skeleton" checked=${!from} onChange=${() => setFrom("")} />
        <label for="from-skeleton">A draft that asks for a key and tests one request</label></div>
      <div class="check"><input type="radio" name="from" id="from-catalog" checked=${Boolean(from)} disabled=${!found.items.length}
          onChange=${() => setFrom(/** @type {any} */ (found.items[0])?.key ?? "")} />
        <label for="from-catalog">A copy of what is in the catalog</label></div>
    </fieldset>
    ${
      from &&
      html`<div class="halves">
        <${TextField} label="Search the catalog" type="search" value=${searched} onChange=${search} />
        <${SelectField} label="Copy of" value=${from} options=${copies} onChange=${setFrom} />
      </div>`
    }
  </${FormDialog}>`;
}
