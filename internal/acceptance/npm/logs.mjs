// @azure/monitor-query-logs: queries of a workspace or of a resource, and batches of them.
import { ClientSecretCredential } from "@azure/identity";
import { LogsQueryClient } from "@azure/monitor-query-logs";

// run asks query of workspace, or of the resource with that id, or sends batch, a list of what queryBatch
// takes. It gives what the client gives: datetimes are Dates and dynamics are parsed by then. With an authority
// it signs in there, the token being the secret.
export async function run({ endpoint, token, authority, workspace, resource, query, timespan, options, batch, abortAfter }) {
  const credential = authority
    ? new ClientSecretCredential("adfs", "glassward", token, { authorityHost: authority })
    : { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3600_000 }) };
  const client = new LogsQueryClient(credential, { endpoint, retryOptions: { maxRetries: 0 } });
  if (batch) {
    return client.queryBatch(batch);
  }
  const more = { ...options, requestOptions: {} };
  if (abortAfter !== undefined) {
    more.requestOptions = { timeout: abortAfter };
  }
  return resource ? client.queryResource(resource, query, timespan, more) : client.queryWorkspace(workspace, query, timespan, more);
}
