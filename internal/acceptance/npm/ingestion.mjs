// @azure/monitor-ingestion: uploads, which the client cuts into bodies of a megabyte and packs.
import { LogsIngestionClient } from "@azure/monitor-ingestion";

// run uploads times copies of log to a stream of rule, concurrency bodies at once. It gives {failed}: for each
// body that was refused the status, the code and how many records it had.
export async function run({ endpoint, token, rule, stream, log, times, concurrency }) {
  const credential = token
    ? { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3_600_000 }) }
    : undefined;
  const client = new LogsIngestionClient(endpoint, credential, {
    allowInsecureConnection: !token,
    retryOptions: { maxRetries: 0 },
  });
  const failed = [];
  try {
    await client.upload(rule, stream, Array(times).fill(log), { maxConcurrency: concurrency });
  } catch (e) {
    if (!e.errors) {
      throw e;
    }
    for (const { cause, failedLogs } of e.errors) {
      failed.push({ status: cause.statusCode, code: cause.code, records: failedLogs.length });
    }
  }
  return { failed };
}
