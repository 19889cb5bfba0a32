// A reporter for node's test runner: one line of JSON a test, for test_javascript.py.
export default async function* reporter(events) {
  for await (const { type, data } of events) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    const error = data.details?.error;
    const text = error ? String(error.cause?.stack ?? error.cause ?? error.message ?? error) : "";
    yield `${JSON.stringify({ name: data.name, passed: type === "test:pass" && data.skip === undefined, error: text })}\n`;
  }
}
