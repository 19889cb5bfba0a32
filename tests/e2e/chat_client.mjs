// A chat as a front-end holds it, with the real client of the AI SDK; what it has at last is printed as JSON.
// Usage: node chat_client.mjs SCENARIO BASE_URL KEY CHAT AGENT [STEPS…]
import { writeFileSync } from 'node:fs';

import { AbstractChat, DefaultChatTransport } from './vendor/ai-chat.mjs';

const [scenario, base, key, chatId, agent, ...texts] = process.argv.slice(2);
const headers = { authorization: `Bearer ${key}` };

class State {
  status = 'ready';
  error = undefined;

  constructor(messages) {
    this.messages = messages;
  }

  pushMessage = message => {
    this.messages = this.messages.concat(message);
  };
  popMessage = () => {
    this.messages = this.messages.slice(0, -1);
  };
  replaceMessage = (index, message) => {
    this.messages = [...this.messages.slice(0, index), message, ...this.messages.slice(index + 1)];
  };
  snapshot = thing => structuredClone(thing);
}

class Chat extends AbstractChat {
  constructor(messages = []) {
    const transport = new DefaultChatTransport({ api: `${base}/api/chat`, headers, body: { agent } });
    const errors = [];
    super({ id: chatId, transport, state: new State(messages), onError: error => errors.push(String(error)) });
    this.errors = errors;
  }
}

async function session() {
  const answer = await fetch(`${base}/api/sessions/${encodeURIComponent(chatId)}`, { headers });
  return answer.json();
}

const scenarios = {
  // Say one thing after the other.
  async talk() {
    const chat = new Chat();
    for (const text of texts) await chat.sendMessage({ text });
    return { messages: chat.messages, status: chat.status, errors: chat.errors, session: await session() };
  },
  // Say something, ask for another answer, then change what was said.
  async again() {
    const chat = new Chat();
    await chat.sendMessage({ text: texts[0] });
    const first = chat.messages.at(-1).id;
    await chat.regenerate();
    const second = chat.messages.at(-1).id;
    await chat.sendMessage({ text: texts[1], messageId: chat.messages[0].id });
    return { first, second, messages: chat.messages, errors: chat.errors, session: await session() };
  },
  // Say something; the model goes on only once its first word is here.
  async gated() {
    const chat = new Chat();
    let ended = false;
    const sending = chat.sendMessage({ text: texts[0] }).finally(() => (ended = true));
    const read = () => chat.messages.at(-1)?.parts.some(part => part.text?.startsWith('first'));
    while (!ended && !read()) await new Promise(go => setTimeout(go, 5));
    const readMs = Date.now();
    writeFileSync(`${texts[0]}/read`, '');
    await sending;
    return { readMs, messages: chat.messages, errors: chat.errors };
  },
  // Show a picture, load the page again, and ask for another answer.
  async picture() {
    const chat = new Chat();
    const url = `data:image/png;base64,${btoa('a dot')}`;
    await chat.sendMessage({ text: texts[0], files: [{ type: 'file', mediaType: 'image/png', filename: 'dot.png', url }] });
    const again = new Chat((await session()).messages);
    await again.regenerate();
    const file = again.messages[0].parts.find(part => part.type === 'file');
    const shown = await (await fetch(base + file.url, { headers })).text();
    return { messages: chat.messages, again: again.messages, shown, errors: [...chat.errors, ...again.errors] };
  },
  // Say something, lose the page in the middle of the answer, load it again and follow the rest.
  async reload() {
    const lost = new Chat();
    const sending = lost.sendMessage({ text: texts[0] });
    while (!lost.messages.some(message => message.role === 'assistant')) await new Promise(go => setTimeout(go, 10));
    await lost.stop();
    await sending;
    const loaded = await session();
    const chat = new Chat(loaded.messages);
    await chat.resumeStream();
    const idle = new Chat((await session()).messages);
    await idle.resumeStream();
    return { loaded, messages: chat.messages, errors: chat.errors, session: await session(), idle: idle.messages };
  },
  // Say something, and press stop: the connection is closed, and the session is cancelled.
  async stop() {
    const chat = new Chat();
    const sending = chat.sendMessage({ text: texts[0] });
    while (chat.status !== 'streaming') await new Promise(go => setTimeout(go, 10));
    const answer = await fetch(`${base}/api/sessions/${encodeURIComponent(chatId)}/cancel`, { method: 'POST', headers });
    await sending;
    return { cancel: await answer.json(), messages: chat.messages, errors: chat.errors, session: await session() };
  },
  // Follow a job over a WebSocket, with a token.
  async socket() {
    const post = (path, body) =>
      fetch(base + path, { method: 'POST', headers, body: JSON.stringify(body) }).then(answer => answer.json());
    const { workflowId } = await post('/api/agent/start', { request: texts[0], agent, conversationId: chatId });
    const { token } = await post('/api/stream-tokens', { jobId: workflowId });
    const url = `${base.replace('http', 'ws')}/api/agent/updates?workflowId=${workflowId}&token=${token}`;
    const socket = new WebSocket(url);
    const parts = [];
    socket.onmessage = event => parts.push(JSON.parse(event.data));
    const code = await new Promise(closed => (socket.onclose = event => closed(event.code)));
    return { workflowId, parts, code };
  },
};

console.log(JSON.stringify(await scenarios[scenario]()));
