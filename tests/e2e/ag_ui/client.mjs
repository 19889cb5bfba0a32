// A front end with the official client of AG-UI; what it has at last is printed as JSON.
// Usage: node client.mjs SCENARIO BASE_URL KEY
import { HttpAgent } from "@ag-ui/client";

import { resumable } from "./resumable.mjs";

const [scenario, base, key] = process.argv.slice(2);
let requests = 0;

// A network that cuts each answer off after some more bytes than the one before.
async function cutting(url, init) {
  const answer = await fetch(url, init);
  let left = 150 * ++requests;
  const cut = new TransformStream({
    transform(chunk, controller) {
      controller.enqueue(chunk.slice(0, left));
      left -= chunk.length;
      if (left <= 0) controller.error(new Error("cut"));
    },
  });
  return new Response(answer.body.pipeThrough(cut), { status: answer.status, headers: answer.headers });
}

function agentNamed(name, fetch) {
  const headers = { Authorization: `Bearer ${key}` };
  const agent = new HttpAgent({ url: `${base}/api/ag-ui/${name}`, headers, fetch: resumable(fetch, 50) });
  agent.addMessage({ id: crypto.randomUUID(), role: "user", content: "hello" });
  return agent;
}

const scenarios = {
  // Read an answer over a network that is cut again and again; say when its first words are there.
  async talk() {
    const agent = agentNamed("talker", cutting);
    const kinds = [];
    await agent.runAgent({}, {
      onEvent: ({ event }) => {
        if (event.type === "TEXT_MESSAGE_CONTENT" && !kinds.includes(event.type)) console.log("talking");
        kinds.push(event.type);
      },
    });
    return { messages: agent.messages, kinds, requests };
  },
  // Answer what a run asks, with other arguments; share a state with the agent.
  async decide() {
    const agent = agentNamed("payer", fetch);
    agent.setState({ city: "Oslo" });
    await agent.runAgent();
    const asked = structuredClone(agent.pendingInterrupts);
    const payload = { approved: true, editedArgs: { euros: 40 } };
    await agent.runAgent({ resume: asked.map(({ id }) => ({ interruptId: id, status: "resolved", payload })) });
    return { asked, messages: agent.messages, left: agent.pendingInterrupts, state: agent.state };
  },
};

console.log(JSON.stringify(await scenarios[scenario]()));
