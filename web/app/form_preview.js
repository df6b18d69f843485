/** The form of a definition: to look at, or to enter what a test gets. */

import { texts } from "../kit/basics.js";
import { Banner } from "../kit/elements.js";
import { FORM_TEXTS, SchemaForm, SecretFields } from "../kit/schema_form.js";
import { html, useState } from "../vendor/preact.js";
import { secretsOf } from "./release_view.js";

/**
 * @typedef {import("./release_view.js").Definition} Definition
 * @typedef {{ variables: Record<string, unknown>, secrets: Record<string, string>, configurations: Record<string, unknown> }} Entered
 */

export const words = texts(FORM_TEXTS, FORM_TEXTS);

/** @type {Map<string, string>} */
const NONE = new Map();

/** @returns {Entered} */
export const nothingEntered = () => ({ variables: {}, secrets: {}, configurations: {} });

/** @param {unknown} schema @returns {Record<string, any>} */
const schemaOf = (schema) => (typeof schema === "object" && schema ? schema : {});

/** @param {unknown} schema */
const asks = (schema) => Object.keys(Object(schemaOf(schema)["properties"])).length > 0;

/**
 * @param {{ definition: Definition, entered: Entered, onChange: (entered: Entered) => void,
 *   errors?: (part: keyof Entered) => Map<string, string>, connects?: boolean }} props
 *   `connects`: the provider issues the credential, so it is not asked for
 */
export function DefinitionForm({ definition, entered, onChange, errors = () => NONE, connects = false }) {
  const secrets = secretsOf(connects ? { ...definition, authConfig: {} } : definition);
  const { configurationSchema } = definition.manifest;
  /** @param {keyof Entered} part */
  const change = (part) => (/** @type {any} */ value) => onChange({ ...entered, [part]: value });
  if (!connects && !asks(definition.variablesSchema) && !secrets.length && !asks(configurationSchema)) {
    return html`<p class="muted">It asks for nothing.</p>`;
  }
  return html`<div class="stack">
    ${
      asks(definition.variablesSchema) &&
      html`<${SchemaForm} schema=${schemaOf(definition.variablesSchema)} value=${entered.variables}
        onChange=${change("variables")} errors=${errors("variables")} t=${words} />`
    }
    ${
      secrets.length > 0 &&
      html`<${SecretFields} fields=${secrets} value=${entered.secrets} onChange=${change("secrets")}
        errors=${errors("secrets")} t=${words} />`
    }
    ${
      asks(configurationSchema) &&
      html`<h3>Settings of a connection</h3>
        <${SchemaForm} schema=${schemaOf(configurationSchema)} value=${entered.configurations}
          onChange=${change("configurations")} errors=${errors("configurations")} t=${words} />`
    }
  </div>`;
}

/** The form as a person sees it who connects. What is typed goes nowhere. @param {{ definition: Definition }} props */
export function FormPreview({ definition }) {
  const [entered, enter] = useState(nothingEntered);
  const { type, grantType = "authorization_code" } = definition.authConfig;
  const connects = type === "oauth2" && grantType === "authorization_code";
  return html`<${DefinitionForm} definition=${definition} entered=${entered} onChange=${enter} connects=${connects} />
    ${connects && html`<${Banner} tone="info">The person agrees at the provider. With an OAuth application, no token is typed.</${Banner}>`}`;
}
