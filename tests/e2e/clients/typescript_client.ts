// Ten operations by the project's own TypeScript client. Prints what the test looks at, as JSON.
import { Patchbay, PatchbayError } from "./patchbay.ts";

declare const process: { env: { [name: string]: string } };
const { API_URL = "", API_KEY = "", ORGANIZATION_ID = "", SPACE_ID = "", SPACE_SLUG = "", MANIFEST = "", PATIENCE = "" } = process.env;
const patchbay = new Patchbay({ baseUrl: API_URL, apiKey: API_KEY, timeoutMs: Number(PATIENCE) * 1000 });
const BASE = "/v1/organizations/{organization_id}/knowledge/connectors" as const;
const organization = { organization_id: ORGANIZATION_ID };
const space = { slug: SPACE_SLUG };

const made = await patchbay.call("POST", "/v1/integrations", {
  body: {
    workspaceId: SPACE_ID,
    publisher: SPACE_SLUG,
    slug: "typescript",
    name: "Made by a client",
    authConfig: { type: "api_key" },
    manifest: JSON.parse(MANIFEST),
  },
});
const release = await patchbay.call("POST", "/v1/integrations/{integration_id}/publish", {
  path: { integration_id: made.id },
  body: { version: "1.0.0" },
});
const source = await patchbay.call("POST", `${BASE}/sources`, {
  path: organization,
  body: { name: "s", integration: `${SPACE_SLUG}/typescript`, secrets: { api_key: "one of the provider" } },
});
const path = { ...organization, source_id: source.id };
const changed = await patchbay.call("PATCH", `${BASE}/sources/{source_id}`, {
  path,
  body: { name: "changed", secrets: { api_key: "another one" } },
});
const read = await patchbay.call("GET", `${BASE}/sources/{source_id}`, { path });
const connection = await patchbay.call("POST", `${BASE}/connections`, {
  path: organization,
  body: { name: "c", source_id: source.id, space: SPACE_SLUG },
});
const stored = await patchbay.call("POST", "/spaces/{slug}/integration-events", {
  path: space,
  body: { events: [{ integration_type: "metadata_sync", status: "SUCCESS" }] },
});
const health = await patchbay.call("GET", "/spaces/{slug}/integration-health", { path: space, query: { days: 1 } });
const rule = await patchbay.call("POST", "/spaces/{slug}/alert-rules", {
  path: space,
  body: { name: "down", condition: { kind: "connection_down" } },
});
const names: string[] = [];
for await (const one of patchbay.list(`${BASE}/connections`, { path: organization, query: { space: SPACE_SLUG, limit: 1 } })) {
  names.push(one.name);
}
const gone = await patchbay.call("DELETE", `${BASE}/connections/{connection_id}`, {
  path: { ...organization, connection_id: connection.id },
});
const last = source.id.endsWith("0") ? "1" : "0";
const missing = await patchbay
  .call("GET", `${BASE}/sources/{source_id}`, { path: { ...organization, source_id: source.id.slice(0, -1) + last } })
  .catch((error) => (error instanceof PatchbayError ? error.code : error));

const published: string = "publishedAt" in release ? release.publishedAt : "";
console.log(
  JSON.stringify({
    secrets_set: source.secrets_set,
    name: read.name,
    changed: "name" in changed ? changed.name : "",
    connections: names,
    accepted: stored.accepted,
    total_events: health.total_events,
    condition: rule.condition.kind,
    deleted: gone === undefined && published ? "NO_CONTENT" : "",
    missing,
  }),
);
