import assert from "node:assert/strict";

import { client, destination, method, stranger } from "./qstash.mjs";

const CRON = "1 1 1 1 1";
const { schedules } = client;
const made = async ({ name, url }) => (await schedules.create({ destination: url, cron: CRON, scheduleId: name })).scheduleId;

method(
  "Schedules.create",
  async ({ name, url }) => {
    const options = { destination: url, scheduleId: name, flowControl: { key: name, rate: 1 } };
    await schedules.create({ ...options, cron: "*/5 * * * *", body: "old" });
    const callback = destination.url("/cb");
    const { scheduleId } = await schedules.create({
      ...options,
      cron: ` ${CRON} `,
      callback,
      headers: { "Test-Header": "v", "Content-Type": "text/plain" },
      delay: 10,
      retries: 1,
      method: "PUT",
      label: ["a", "b"],
      queueName: name,
      retryDelay: "1000",
    });
    const schedule = await schedules.get(scheduleId);
    assert.equal(scheduleId, name);
    assert.deepEqual(schedule.header, { "Content-Type": ["text/plain"], "Test-Header": ["v"] });
    assert.deepEqual([schedule.cron, schedule.body, schedule.delay, schedule.retries, schedule.method], [CRON, undefined, 10, 1, "PUT"]);
    assert.deepEqual([schedule.callback, schedule.queueName, schedule.labels, schedule.rate], [callback, name, ["a", "b"], 1]);
  },
  ({ url }) => schedules.create({ destination: url, cron: "not cron" }),
  400,
);
method(
  "Schedules.get",
  async (scene) => {
    const { scheduleId, destination: to, cron, isPaused } = await schedules.get(await made(scene));
    assert.deepEqual({ scheduleId, to, cron, isPaused }, { scheduleId: scene.name, to: scene.url, cron: CRON, isPaused: false });
  },
  ({ name }) => schedules.get(name),
  404,
);
method(
  "Schedules.list",
  async (scene) => {
    await made(scene);
    assert.ok((await schedules.list()).some(({ scheduleId }) => scheduleId === scene.name));
  },
  () => stranger.schedules.list(),
  401,
);
method(
  "Schedules.delete",
  async (scene) => {
    await schedules.delete(await made(scene));
    await assert.rejects(() => schedules.get(scene.name), { status: 404 });
  },
  ({ name }) => schedules.delete(name),
  404,
);
for (const verb of ["pause", "resume"]) {
  method(
    `Schedules.${verb}`,
    async (scene) => {
      await made(scene);
      await schedules.pause({ schedule: scene.name });
      await schedules[verb]({ schedule: scene.name });
      assert.equal((await schedules.get(scene.name)).isPaused, verb === "pause");
    },
    ({ name }) => schedules[verb]({ schedule: name }),
    404,
  );
}
