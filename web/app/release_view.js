/** What an integration is, in words: shown alike in the catalog and of one's own. */

import { Badge, CopyButton } from "../kit/elements.js";
import { html } from "../vendor/preact.js";

/**
 * @typedef {import("#api").components["schemas"]["Release"]} Release
 * @typedef {import("../vendor/preact.js").ComponentChildren} Children
 * @typedef {Record<string, any>} Json
 * @typedef {{ manifest: Json, variablesSchema: Json, authConfig: Json }} Definition
 */

/** Of a filter that is not set. @type {[string, string]} */
export const ALL = ["", "All"];
/** @type {[string, string][]} */
export const TIERS = [
  ["first_party", "First party"],
  ["vendor_official", "Vendor official"],
  ["verified_partner", "Verified partner"],
  ["verified_publisher", "Verified publisher"],
  ["community", "Community"],
];
/** @type {[string, string][]} */
export const CAPABILITIES = [
  ["metadata_sync", "Metadata sync"],
  ["quality_check", "Quality check"],
  ["profiling", "Profiling"],
  ["webhook", "Webhook"],
  ["alert", "Alert"],
];
/** @type {[string, string][]} */
export const ROLES = [
  ["source", "Source"],
  ["destination", "Destination"],
];
/** @type {[string, string][]} */
export const AUTH_TYPES = [
  ["api_key", "API key"],
  ["oauth2", "OAuth 2.0"],
  ["basic", "Basic"],
  ["none", "None"],
];
/** @type {[string, string][]} */
export const VISIBILITIES = [
  ["private", "Private"],
  ["unlisted", "Unlisted"],
  ["public", "Public"],
];

/** @param {[string, string][]} words @param {unknown} value */
export const wordOf = (words, value) => words.find(([key]) => key === value)?.[1] ?? String(value ?? "");

/** @param {{ tier: string }} props */
export const Tier = ({ tier }) => html`<${Badge} tone=${tier === "community" ? "idle" : "ok"}
  icon=${tier === "community" ? "space" : "check"}>${wordOf(TIERS, tier)}</${Badge}>`;

/** A member of an object that may be anything. @param {any} object @param {...string} path @returns {any} */
const at = (object, ...path) =>
  path.reduce(
    (found, name) => (found && Object.hasOwn(Object(found), name) ? found[name] : undefined),
    object,
  );

/** @param {unknown} value @returns {any[]} */
const list = (value) => (Array.isArray(value) ? value : []);

/** @param {unknown} value */
const text = (value) => (typeof value === "string" ? value : value == null ? "" : JSON.stringify(value));

/** @param {Definition} definition @returns {string[]} */
export const rolesOf = ({ manifest }) =>
  Array.isArray(at(manifest, "roles")) ? manifest["roles"].map(text) : ["source", "destination"];

/** @type {Record<string, string[]>} */
const SECRETS = {
  api_key: ["api_key"],
  oauth2: ["access_token", "refresh_token", "client_id", "client_secret"],
};

/**
 * The secrets that a definition may have, as docs/auth-config.md says.
 *
 * @param {Definition} definition
 * @returns {import("../kit/schema_form.js").SecretField[]}
 */
export function secretsOf({ authConfig, manifest }) {
  const type = text(at(authConfig, "type"));
  const schema = at(manifest, "secretsSchema");
  const declared = Object(at(schema, "properties"));
  let names = SECRETS[type] ?? [];
  if (type === "basic") {
    const password = at(authConfig, "password") ?? "{{secrets.password}}";
    const templates = [
      at(authConfig, "username") ?? "{{secrets.username}}",
      at(password, "optional") ?? password,
    ];
    names = [
      ...templates
        .map(text)
        .join(" ")
        .matchAll(/\{\{\s*secrets\.([\w-]+)\s*\}\}/g),
    ].map((found) => found[1] ?? "");
  }
  if (type === "oauth2" && at(authConfig, "clientAuth") === "private_key_jwt")
    names = [...names, "private_key"];
  return [...new Set([...names, ...Object.keys(declared)])].map((name) => ({
    name,
    value_schema: declared[name] ?? { type: "string" },
    required: type === "api_key" && name === "api_key" ? true : list(at(schema, "required")).includes(name),
    is_set: false,
  }));
}

/** @param {{ definition: Definition }} props */
export function Authentication({ definition: { authConfig } }) {
  const type = at(authConfig, "type");
  const header = text(at(authConfig, "authHeaderName")) || "Authorization";
  const prefix = text(at(authConfig, "authValuePrefix")) || (header === "Authorization" ? "Bearer" : "");
  /** @type {[string, Children][]} */
  const facts = [];
  if (type === "api_key") facts.push(["Sent as", html`<code>${header}: ${prefix} …</code>`]);
  if (type === "oauth2") {
    facts.push(["Grant", text(at(authConfig, "grantType")) || "authorization_code"]);
    for (const [name, member] of [
      ["Agreed at", "authorizationUrl"],
      ["Tokens from", "tokenUrl"],
      ["Revoked at", "revocationUrl"],
    ]) {
      const address = at(authConfig, String(member));
      if (address) facts.push([String(name), html`<code>${text(address)}</code>`]);
    }
    const scopes = list(at(authConfig, "scopes"));
    if (scopes.length)
      facts.push([
        "Scopes",
        html`<span class="row">${scopes.map((scope) => html`<code class="chip">${text(scope)}</code>`)}</span>`,
      ]);
  }
  return html`<div class="stack tight">
    <p><strong>${wordOf(AUTH_TYPES, type) || "Not said yet"}</strong></p>
    ${facts.length > 0 && html`<${Facts} facts=${facts} />`}
  </div>`;
}

/** What a test does, step by step, before anybody runs it. @param {{ definition: Definition }} props */
export function TestSteps({ definition: { manifest } }) {
  const steps = list(at(manifest, "checks", "steps"));
  if (!steps.length)
    return html`<p class="muted">It tests nothing beyond that values and secrets are there.</p>`;
  return html`<ol class="plan">
    ${steps.map((step) => {
      const target = at(step, "request", "url") ?? at(step, "url") ?? at(step, "host");
      const proves = at(step, "category") === "capability" || at(step, "capability");
      return html`<li>
        <div class="row"><strong>${text(at(step, "name"))}</strong><span class="chip">${text(at(step, "kind"))}</span>
          ${proves && html`<span class="muted">proves ${wordOf(CAPABILITIES, at(step, "capability"))}</span>`}
          ${at(step, "mandatory") === false && html`<span class="muted">may fail</span>`}</div>
        ${target && html`<code class="muted">${text(at(step, "request", "method")) || (at(step, "kind") === "http" ? "GET" : "")} ${text(target)}</code>`}
      </li>`;
    })}
  </ol>`;
}

/** @param {{ facts: [string, Children][] }} props */
export const Facts = ({ facts }) => html`<dl class="facts">
  ${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}
</dl>`;

/** Something to copy: shown in one line, as much of it as there is room for. @param {{ text: string, label?: string }} props */
export const Copyable = ({ text: shown, label }) =>
  html`<span class="copyable"><code title=${shown}>${shown}</code><${CopyButton} text=${shown} label=${label ?? "Copy"} /></span>`;

/** A part of a page. @param {{ title: string, actions?: Children, children?: Children }} props */
export const Section = ({ title, actions, children }) => html`<section class="card stack">
  <div class="row spread"><h2>${title}</h2>${actions && html`<div class="row">${actions}</div>`}</div>
  ${children}
</section>`;

/** Why a release should not be used any more. @param {{ release: { deprecated: string | null, yanked?: string | null } }} props */
export const Remarks = ({ release }) => html`
  ${release.yanked && html`<${Badge} tone="bad">Withdrawn</${Badge}><span>${release.yanked}</span>`}
  ${release.deprecated && html`<${Badge} tone="warn">Deprecated</${Badge}><span>${release.deprecated}</span>`}
`;
