/** Settings: spaces, and OAuth applications. */

import { at, useAction, useList, useResource } from "../../kit/api.js";
import {
  Badge,
  Button,
  Confirm,
  Dialog,
  Empty,
  Failure,
  ForeignLink,
  Icon,
  notify,
  Table,
  Time,
} from "../../kit/elements.js";
import { html, useState } from "../../vendor/preact.js";
import { href, ListView, MANAGE, SearchField, usePath, useQuery, useSession } from "../dashboard.js";
import { AreaField, FormDialog, slugOf, TextField, unshown } from "../fields.js";
import { Copyable } from "../release_view.js";
import { Locked, SettingsFrame } from "./settings.js";

/**
 * @typedef {import("#api").components["schemas"]["Space"]} Space
 * @typedef {import("#api").components["schemas"]["OAuthApplication"]} Application
 */

export default function SettingsLists() {
  const tab = usePath().endsWith("/spaces") ? "spaces" : "oauth-applications";
  return html`<${SettingsFrame} tab=${tab}>${tab === "spaces" ? html`<${Spaces} />` : html`<${Applications} />`}</${SettingsFrame}>`;
}

// ---------------------------------------------------------------- spaces

function Spaces() {
  const { organization, session, why } = useSession();
  const [q, setQ] = useQuery("q");
  const list = useList(`${organization}/spaces?limit=100`);
  const [creating, setCreating] = useState(false);
  const [chosen, choose] = useState(
    /** @type {{ space: Space, what: "edit" | "delete" | "status" } | null} */ (null),
  );
  const blocked = why(MANAGE) ?? (session.space && "A key of one space can't make another");
  const wanted = q.trim().toLowerCase();
  const shown = /** @type {Space[]} */ (list.items).filter((space) =>
    `${space.name} ${space.slug}`.toLowerCase().includes(wanted),
  );
  const create = html`<${Button} kind="primary" why=${blocked} onClick=${() => setCreating(true)}><${Icon} name="plus" />New space</${Button}>`;
  const close = () => choose(null);
  const done = () => {
    list.reload();
    close();
  };
  return html`<div class="stack">
    <div class="row spread"><div class="toolbar"><${SearchField} label="Search spaces" value=${q} onChange=${setQ} /></div>${create}</div>
    <${ListView} list=${list} empty=${html`<${Empty} icon="space" title="There is no space yet" action=${create}>A space holds connections and their health: one for each product or environment.</${Empty}>`}>
      ${
        shown.length
          ? html`<div class="card flush"><${Table} caption="Spaces" heads=${["Space", html`<span class="wide">Background tests</span>`, "Status page", html`<span class="wide">Made</span>`, ""]}>
              ${shown.map((space) => {
                /** @param {"edit" | "delete" | "status"} what @param {string} word */
                const act = (what, word) =>
                  html`<${Button} kind="quiet small" why=${why(MANAGE)} label=${`${word} ${space.name}`} onClick=${() => choose({ space, what })}>${word}</${Button}>`;
                return html`<tr key=${space.id}>
                  <th scope="row"><a href=${href(at`/spaces/${space.slug}`)}><bdi>${space.name}</bdi></a><div class="muted mono">${space.slug}</div></th>
                  <td class="wide">${space.paused ? html`<${Badge} tone="warn" icon="pause">Paused</${Badge}>` : "Running"}</td>
                  <td>${space.status_page.enabled ? html`<${Badge} tone="ok">Public</${Badge}>` : html`<span class="muted">Off</span>`}</td>
                  <td class="wide"><${Time} at=${space.created_at} /></td>
                  <td><div class="row end">${act("status", "Status page")}${act("edit", "Rename")}${act("delete", "Delete")}</div></td>
                </tr>`;
              })}
            </${Table}></div>`
          : html`<${Empty} icon="search" title="No space matches">Try another word.</${Empty}>`
      }
    </${ListView}>
    ${
      creating &&
      html`<${EditSpace} space=${null} onClose=${() => setCreating(false)} onDone=${() => {
        list.reload();
        setCreating(false);
      }} />`
    }
    ${chosen?.what === "edit" && html`<${EditSpace} space=${chosen.space} onClose=${close} onDone=${done} />`}
    ${chosen?.what === "delete" && html`<${DeleteSpace} space=${chosen.space} onClose=${close} onDone=${done} />`}
    ${
      chosen?.what === "status" &&
      html`<${StatusPage} slug=${chosen.space.slug} onClose=${() => {
        list.reload();
        close();
      }} />`
    }
  </div>`;
}

/** @param {{ space: Space | null, onClose: () => void, onDone: () => void }} props */
function EditSpace({ space, onClose, onDone }) {
  const { organization } = useSession();
  const [name, setName] = useState(space?.name ?? "");
  const [typed, setSlug] = useState("");
  const saving = useAction();
  const slug = typed || slugOf(name);
  const save = async () => {
    const saved = space
      ? await saving.run(at`/spaces/${space.slug}`, { method: "PATCH", body: { name } })
      : await saving.run(`${organization}/spaces`, { body: { name, slug } });
    if (!saved) return;
    notify(space ? "Renamed" : "The space is there");
    onDone();
  };
  return html`<${FormDialog} title=${space ? "Rename the space" : "New space"} confirm=${space ? "Rename" : "Make the space"}
    busy=${saving.busy} error=${unshown(saving.error, ["/name", "/slug"])} onSubmit=${save} onClose=${onClose}>
    <${TextField} label="Name" required autofocus maxlength="120" value=${name} onChange=${setName} error=${saving.errorAt("/name")} />
    ${
      !space &&
      html`<${TextField} label="Slug" required code maxlength="63" value=${slug} onChange=${setSlug} error=${saving.errorAt("/slug")}
        help="Its name in addresses: a-z, 0-9, and hyphens, unique in this deployment. It stays." />`
    }
  </${FormDialog}>`;
}

/** @param {{ space: Space, onClose: () => void, onDone: () => void }} props */
function DeleteSpace({ space, onClose, onDone }) {
  const [typed, type] = useState("");
  const deleting = useAction();
  const remove = async () => {
    if (!(await deleting.run(at`/spaces/${space.slug}`, { method: "DELETE" }))) return;
    notify("The space is deleted");
    onDone();
  };
  return html`<${FormDialog} title=${`Delete ${space.name}?`} confirm="Delete the space" danger busy=${deleting.busy} error=${deleting.error}
    failed="Nothing was deleted" why=${typed !== space.slug && "Type the slug first"} onSubmit=${remove} onClose=${onClose}>
    <p>Its events, health, alert rules, and alerts are gone with it. That can't be taken back.</p>
    <${TextField} label=${html`Type <code>${space.slug}</code> to confirm`} code autofocus value=${typed} onChange=${type} />
  </${FormDialog}>`;
}

/** @param {{ slug: string, onClose: () => void }} props */
function StatusPage({ slug, onClose }) {
  const path = at`/spaces/${slug}`;
  const read = useResource(path);
  const saving = useAction();
  const space = /** @type {Space | null} */ (read.data);
  const page = space?.status_page;
  const [title, setTitle] = useState(/** @type {string | null} */ (null));
  /** @param {Record<string, unknown>} change */
  const patch = async (change) => {
    const saved = await saving.run(path, {
      method: "PATCH",
      body: { status_page: change },
      ifMatch: read.etag,
    });
    if (saved) read.replace(saved, saving.etag());
  };
  const url = page?.url ? new URL(page.url, location.origin).href : null;
  const shown = title ?? page?.title ?? "";
  return html`<${Dialog} title="Status page" onClose=${onClose}>
    ${!space && (read.error ? html`<${Failure} error=${read.error} retry=${read.reload} />` : html`<div class="skeleton"></div>`)}
    ${
      space &&
      html`<p>Whoever has its address sees how <bdi>${space.name}</bdi> has been working: a word, 90 days, and firing alerts. No ids, no errors.</p>
      <div class="check"><input type="checkbox" id="status-on" checked=${Boolean(page?.enabled)} disabled=${saving.busy} onChange=${(/** @type {any} */ event) => patch({ enabled: event.target.checked })} />
        <label for="status-on">Public, by an address that can't be guessed <span class="muted">Off and on again makes a new address.</span></label></div>
      ${
        page?.enabled &&
        html`<div class="check"><input type="checkbox" id="status-names" checked=${page.show_connections} disabled=${saving.busy} onChange=${(/** @type {any} */ event) => patch({ show_connections: event.target.checked })} />
          <label for="status-names">Show connections by name</label></div>
        <form class="row" onSubmit=${(/** @type {Event} */ event) => {
          event.preventDefault();
          patch({ title: shown.trim() || null });
        }}>
          <input type="text" class="grow auto" dir="auto" maxlength="120" aria-label="Title of the page" placeholder=${space.name} value=${shown} onInput=${(/** @type {any} */ event) => setTitle(event.target.value)} />
          <${Button} type="submit" busy=${saving.busy} why=${shown === (page.title ?? "") && "Nothing is changed"}>Save the title</${Button}>
        </form>
        ${
          url &&
          html`<h3>Address</h3><div class="row"><${Copyable} text=${url} /><${ForeignLink} href=${url}>Open</${ForeignLink}></div>
          <h3>Badges</h3>
          ${["uptime", "health", "response"].map((kind) => {
            const badge = `${url.replace(/\/$/, "")}/badges/${kind}.svg?days=30`;
            return html`<div class="stack tight"><img src=${badge.slice(new URL(badge).origin.length)} alt=${`Badge: ${kind} of 30 days`} height="20" />
              <${Copyable} text=${`![${kind}](${badge})`} label="Copy Markdown" /></div>`;
          })}`
        }`
      }
      ${saving.error && html`<${Failure} error=${saving.error} title="Nothing was changed" />`}`
    }
    <div class="row spread"><span></span><${Button} onClick=${onClose}>Done</${Button}></div>
  </${Dialog}>`;
}

// ---------------------------------------------------------------- OAuth applications

function Applications() {
  const { organization, why, session } = useSession();
  const refused = why(MANAGE);
  const list = useList(refused ? null : `${organization}/oauth-applications?limit=100`);
  const [edited, edit] = useState(/** @type {Application | "new" | null} */ (null));
  const [deleted, remove] = useState(/** @type {Application | null} */ (null));
  const deleting = useAction();
  const blocked = session.space && "A key of one space can't change these";
  const create = html`<${Button} kind="primary" why=${blocked} onClick=${() => edit("new")}><${Icon} name="plus" />New application</${Button}>`;
  const confirm = async () => {
    if (
      !deleted ||
      !(await deleting.run(`${organization}${at`/oauth-applications/${deleted.id}`}`, { method: "DELETE" }))
    )
      return;
    remove(null);
    notify("The application is deleted");
    list.reload();
  };
  if (refused) return html`<${Locked} reason=${refused} />`;
  return html`<div class="stack">
    <div class="row spread"><p class="muted">Your client at a provider, by which people connect their accounts there.</p>${create}</div>
    <${ListView} list=${list} empty=${html`<${Empty} icon="key" title="There is no OAuth application yet" action=${create}>
        Register a client at the provider, and enter its id and secret here. Then people agree there, and type no token.</${Empty}>`}>
      <div class="card flush"><${Table} caption="OAuth applications" heads=${["Integration", "Client id", html`<span class="wide">Redirect URI</span>`, html`<span class="wide">Used by</span>`, ""]}>
        ${
          /** @type {Application[]} */ (list.items).map(
            (one) => html`<tr key=${one.id}>
            <th scope="row"><code>${one.integration}</code>${one.shared && html` <${Badge} tone="info">Shared</${Badge}>`}</th>
            <td class="mono clip">${one.client_id}</td>
            <td class="wide"><${Copyable} text=${one.redirect_uri} /></td>
            <td class="wide">${one.uses}</td>
            <td><div class="row end">
              <${Button} kind="quiet small" why=${blocked} label=${`Change ${one.integration}`} onClick=${() => edit(one)}>Change</${Button}>
              <${Button} kind="quiet small" why=${blocked} label=${`Delete ${one.integration}`} onClick=${() => remove(one)}>Delete</${Button}>
            </div></td>
          </tr>`,
          )
        }
      </${Table}></div>
    </${ListView}>
    ${
      edited &&
      html`<${EditApplication} application=${edited === "new" ? null : edited} onClose=${() => edit(null)} onDone=${() => {
        list.reload();
        edit(null);
      }} />`
    }
    ${
      deleted &&
      html`<${Confirm} title=${`Delete the application of ${deleted.integration}?`} confirm="Delete" busy=${deleting.busy} error=${deleting.error}
        onConfirm=${confirm} onClose=${() => remove(null)}>New accounts can't be connected with it, and stored ones can't be renewed.</${Confirm}>`
    }
  </div>`;
}

/** @param {{ application: Application | null, onClose: () => void, onDone: () => void }} props */
function EditApplication({ application, onClose, onDone }) {
  const { organization } = useSession();
  const found = useList(application ? null : "/v1/catalog?authType=oauth2&limit=100");
  const [integration, setIntegration] = useState("");
  const [clientId, setClientId] = useState(application?.client_id ?? "");
  const [secret, setSecret] = useState("");
  const [scopes, setScopes] = useState((application?.scopes ?? []).join(" "));
  const saving = useAction();
  const wanted = scopes.split(/[\s,]+/).filter(Boolean);
  const secretName = secret.includes("-----BEGIN") ? "private_key" : "client_secret";
  const save = async () => {
    const body = {
      client_id: clientId.trim(),
      scopes: wanted.length ? wanted : null,
      ...(secret ? { [secretName]: secret } : {}),
      ...(application ? {} : { integration: integration.trim() }),
    };
    const saved = application
      ? await saving.run(`${organization}${at`/oauth-applications/${application.id}`}`, {
          method: "PATCH",
          body,
        })
      : await saving.run(`${organization}/oauth-applications`, { body });
    if (!saved) return;
    notify(application ? "Saved" : "The application is there");
    onDone();
  };
  const shown = ["/integration", "/client_id", `/${secretName}`, "/scopes"];
  return html`<${FormDialog} title=${application ? `Application of ${application.integration}` : "New OAuth application"}
    confirm=${application ? "Save" : "Add it"} busy=${saving.busy} error=${unshown(saving.error, shown)} onSubmit=${save} onClose=${onClose}>
    ${
      !application &&
      html`<${TextField} label="Integration" required code autofocus list="oauth-integrations" value=${integration} onChange=${setIntegration}
          error=${saving.errorAt("/integration")} help="As publisher/slug." />
        <datalist id="oauth-integrations">${found.items.map((/** @type {any} */ one) => html`<option key=${one.key} value=${one.key}>${one.name}</option>`)}</datalist>`
    }
    <${TextField} label="Client id" required code value=${clientId} onChange=${setClientId} error=${saving.errorAt("/client_id")} help="As the provider gave it." />
    <${AreaField} label="Client secret" class="concealed" dir="ltr" rows=${2} autocomplete="off" spellcheck=${false} value=${secret} onChange=${setSecret} error=${saving.errorAt(`/${secretName}`)}
      help=${application ? "Leave it empty to keep the stored one. Enter another to rotate it." : "Or a private key in PEM, of a client that signs. It is never shown again."} />
    <${TextField} label="Scopes" optional code value=${scopes} onChange=${setScopes} error=${saving.errorAt("/scopes")}
      help="In place of those of the integration, with spaces between." />
  </${FormDialog}>`;
}
