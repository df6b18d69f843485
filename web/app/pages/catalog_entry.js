/** An integration of the catalog: what it is, asks, and tests, and a link by which somebody connects it. */

import { at, useList, useResource } from "../../kit/api.js";
import { Button, Failure, Icon, Loading, Picture, Time } from "../../kit/elements.js";
import { html, useState } from "../../vendor/preact.js";
import { Back, href, MANAGE, PageHead, useSession } from "../dashboard.js";
import { FormPreview } from "../form_preview.js";
import {
  Authentication,
  CAPABILITIES,
  Facts,
  Remarks,
  ROLES,
  rolesOf,
  Section,
  TestSteps,
  Tier,
  wordOf,
} from "../release_view.js";

/** @typedef {import("#api").components["schemas"]["Release"]} Release */

/** @param {Record<string, string>} props */
export default function CatalogEntry({ publisher = "", slug = "" }) {
  const { session, can, why } = useSession();
  const read = useResource(at`/v1/catalog/${publisher}/${slug}`);
  const [dialog, setDialog] = useState(/** @type {{ of: any } | null} */ (null));
  const release = /** @type {Release | null} */ (read.data);
  const above = html`<${Back} href=${href("/catalog")}>Catalog</${Back}>`;
  if (!release) {
    return html`<div class="stack"><${PageHead} title=${slug} above=${above} />
      ${read.error ? html`<${Failure} error=${read.error} retry=${read.reload} />` : html`<${Loading} lines=${6} />`}</div>`;
  }
  const connect = async () => {
    const { ConnectDialog } = await import("../install_links.js");
    setDialog({ of: ConnectDialog });
  };
  const roles = rolesOf(release);
  const reason =
    why(MANAGE) ??
    (session.space && "A key of one space can't make install links") ??
    (!roles.includes("source") && "An integration for destinations alone is set up by the API");
  const capabilities = /** @type {any} */ (release.manifest)["capabilities"];
  return html`<div class="stack">
    <${PageHead} title=${release.name} above=${above} picture=${html`<${Picture} src=${release.iconUrl} name=${release.name} size=${44} />`}
      actions=${html`${
        release.workspaceId &&
        can(MANAGE) &&
        html`<a class="button" href=${href(at`/integrations/${release.id}`)}>Open the definition</a>`
      }
      <${Button} kind="primary" why=${reason} onClick=${connect}><${Icon} name="plug" />Connect</${Button}>`}>
      <p class="row"><code class="muted">${release.key}</code> <span class="muted">${release.version}</span> <${Tier} tier=${release.trustTier} />
        <${Remarks} release=${release} /></p>
    </${PageHead}>
    ${reason && html`<p class="muted">${reason}.</p>`}
    <div class="beside">
      <div class="stack">
        ${release.description && html`<p dir="auto" class="lead">${release.description}</p>`}
        <${Section} title="What it asks">
          <p class="muted">As a person sees it who connects. What you type here goes nowhere.</p>
          <${FormPreview} definition=${release} />
        </${Section}>
        <${Section} title="What it tests"><${TestSteps} definition=${release} /></${Section}>
      </div>
      <aside class="stack">
        <${Section} title="About">
          <${Facts} facts=${[
            ["Publisher", html`<bdi>${release.publisher}</bdi>`],
            ["Version", release.version],
            ["Published", html`<${Time} at=${release.publishedAt} />`],
            ["Can be", roles.map((role) => wordOf(ROLES, role)).join(", ")],
            [
              "Can do",
              Array.isArray(capabilities)
                ? capabilities.map((one) => wordOf(CAPABILITIES, one)).join(", ")
                : "–",
            ],
          ]} />
          ${release.changelog && html`<div><h3>What is new</h3><p class="wrapped" dir="auto">${release.changelog}</p></div>`}
        </${Section}>
        ${release.workspaceId && html`<${Releases} id=${release.id} />`}
        <${Section} title="How it authenticates"><${Authentication} definition=${release} /></${Section}>
      </aside>
    </div>
    ${dialog && html`<${dialog.of} space="" integration=${release} onClose=${() => setDialog(null)} />`}
  </div>`;
}

/** The releases, which only its owner sees. @param {{ id: string }} props */
function Releases({ id }) {
  const list = useList(`${at`/v1/integrations/${id}/versions`}?limit=10`);
  if (!list.items.length) return null;
  return html`<${Section} title="Releases">
    <${Facts} facts=${list.items.map((/** @type {any} */ one) => [
      one.version,
      html`<${Time} at=${one.publishedAt} /> <${Remarks} release=${one} />`,
    ])} />
    <p><a href=${href(at`/integrations/${id}`, { view: "releases" })}>All releases</a></p>
  </${Section}>`;
}
