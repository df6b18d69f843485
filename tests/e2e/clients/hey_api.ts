// Ten operations by a client of @hey-api/openapi-ts. Prints what the test looks at, as JSON.
import { client } from "./hey/client.gen.ts";
import {
  addEvents,
  changeSource,
  createAlertRule,
  createConnection,
  createIntegration,
  createSource,
  deleteConnection,
  getHealth,
  getSource,
  listConnections,
  publishIntegration,
} from "./hey/sdk.gen.ts";

declare const process: { env: Record<string, string> };
const { API_URL, API_KEY, ORGANIZATION_ID, SPACE_ID, SPACE_SLUG, MANIFEST } = process.env;
client.setConfig({ baseUrl: API_URL, auth: () => API_KEY });
const throwOnError = true as const;
const slug = SPACE_SLUG;
const organization_id = ORGANIZATION_ID;

const { data: made } = await createIntegration({
  throwOnError,
  body: {
    workspaceId: SPACE_ID,
    publisher: slug,
    slug: "hey",
    name: "Made by a client",
    authConfig: { type: "api_key" },
    manifest: JSON.parse(MANIFEST),
  },
});
const { data: release } = await publishIntegration({
  throwOnError,
  path: { integration_id: made.id },
  body: { version: "1.0.0" },
});
const { data: source } = await createSource({
  throwOnError,
  path: { organization_id },
  body: { name: "s", integration: `${slug}/hey`, secrets: { api_key: "one of the provider" } },
});
const path = { organization_id, source_id: source.id };
const { data: changed } = await changeSource({
  throwOnError,
  path,
  body: { name: "changed", secrets: { api_key: "another one" } },
});
const { data: read } = await getSource({ throwOnError, path });
const { data: connection } = await createConnection({
  throwOnError,
  path: { organization_id },
  body: { name: "c", source_id: source.id, space: slug },
});
const { data: stored } = await addEvents({
  throwOnError,
  path: { slug },
  body: { events: [{ integration_type: "metadata_sync", status: "SUCCESS" }] },
});
const { data: health } = await getHealth({ throwOnError, path: { slug }, query: { days: 1 } });
const { data: rule } = await createAlertRule({
  throwOnError,
  path: { slug },
  body: { name: "down", condition: { kind: "connection_down" } },
});
const { data: found } = await listConnections({
  throwOnError,
  path: { organization_id },
  query: { space: slug, limit: 10 },
});
const gone = await deleteConnection({
  throwOnError,
  path: { organization_id, connection_id: connection.id },
});
const last = source.id.endsWith("0") ? "1" : "0";
const missing = await getSource({
  path: { organization_id, source_id: source.id.slice(0, -1) + last },
});

const published: string = "publishedAt" in release ? release.publishedAt : "";
console.log(
  JSON.stringify({
    secrets_set: source.secrets_set,
    name: read.name,
    changed: "name" in changed ? changed.name : "",
    connections: found.items.map((one) => one.name),
    accepted: stored.accepted,
    total_events: health.total_events,
    condition: rule.condition.kind,
    deleted: gone.response?.status === 204 && published ? "NO_CONTENT" : "",
    missing: missing.error?.error.code,
  }),
);
