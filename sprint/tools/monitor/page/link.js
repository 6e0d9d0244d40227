// The connection to the service: kept up, tried again ever more rarely, at once when the network is back.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8_000;
const SILENCE_MAX_MS = 12_000; // figures come each 5 s, unless no relay is reached
const ANSWER_MAX_MS = 4_000;

export class Link {
  // tell(message) returns false where it can't be used; status({state, retryAt}) hears of every change.
  constructor(path, { tell, status }) {
    this.path = path;
    this.tell = tell;
    this.status = status;
    this.waitMs = FIRST_WAIT_MS;
    this.socket = null;
    this.timer = null;
    this.heardAt = 0;
    addEventListener("online", () => this.hurry());
    setInterval(() => this.look(), 2_000);
  }

  open() {
    clearTimeout(this.timer);
    this.timer = null;
    const socket = new WebSocket(new URL(this.path, location.href.replace(/^http/, "ws")));
    this.socket = socket;
    this.heardAt = Date.now();
    socket.addEventListener("message", (event) => this.hear(socket, event.data));
    socket.addEventListener("close", () => this.lost(socket));
  }

  hurry() {
    if (this.timer !== null) this.open();
  }

  hear(socket, data) {
    if (socket !== this.socket) return;
    this.heardAt = Date.now();
    const message = JSON.parse(data);
    if (!this.tell(message)) {
      this.drop();
      return;
    }
    if (message.type === "snapshot" && message.part === message.parts) {
      this.waitMs = FIRST_WAIT_MS;
      this.status({ state: "live", retryAt: null });
    }
  }

  // A connection that says nothing may be none any more, as a machine that slept doesn't say goodbye: ask.
  async look() {
    const socket = this.socket;
    if (!socket || socket.readyState !== WebSocket.OPEN || Date.now() - this.heardAt < SILENCE_MAX_MS) return;
    this.heardAt = Date.now();
    try {
      await fetch("api/health", { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MAX_MS) });
    } catch {
      if (socket === this.socket) this.drop();
    }
  }

  drop() {
    const socket = this.socket;
    socket.close();
    this.lost(socket);
  }

  lost(socket) {
    if (socket !== this.socket) return;
    this.socket = null;
    const waitMs = this.waitMs * (0.5 + Math.random() / 2);
    this.waitMs = Math.min(this.waitMs * 2, LONGEST_WAIT_MS);
    this.status({ state: "lost", retryAt: Date.now() + waitMs });
    this.timer = setTimeout(() => this.open(), waitMs);
  }
}

// Ask the service; an error has the sentence that the service or the relay gave as its reason.
export async function ask(path, { method = "GET", body = null } = {}) {
  const headers = body === null ? {} : { "Content-Type": "application/json" };
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === null ? null : JSON.stringify(body), cache: "no-store" });
  } catch {
    throw new Error("the monitor does not answer; is it running?");
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.detail ?? said.title ?? `the monitor answered ${answer.status}`);
  return said;
}

export function breakerPath(row, rest = "", query = "") {
  return `api/breakers/${encodeURIComponent(row.name)}${rest}?relay=${encodeURIComponent(row.relay)}${query}`;
}
