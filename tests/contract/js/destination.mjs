// Where QStash delivers to: keeps what it is sent, answers by path.
import { createServer } from "node:http";

const LIMIT_MS = 10_000;

export class Destination {
  received = [];
  replies = new Map();
  #waiting = new Set();

  async start() {
    this.server = createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const arrived = { method: request.method, path: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() };
      this.received.push(arrived);
      const { status = 200, body = "ok" } = this.replies.get(request.url) ?? {};
      response.writeHead(status).end(body);
      for (const look of this.#waiting) look();
    });
    await new Promise((listening) => this.server.listen(0, "127.0.0.1", listening));
    return this;
  }

  url(path) {
    return `http://127.0.0.1:${this.server.address().port}${path}`;
  }

  at(path) {
    return this.received.filter((request) => request.path === path);
  }

  /** The requests to this path, once there are so many. */
  async wait(path, count = 1) {
    if (this.at(path).length < count) {
      await new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`${this.at(path).length} of ${count} requests at ${path}`)), LIMIT_MS);
        const look = () => {
          if (this.at(path).length < count) return;
          clearTimeout(timer);
          this.#waiting.delete(look);
          resolve();
        };
        this.#waiting.add(look);
      });
    }
    return this.at(path);
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }
}
