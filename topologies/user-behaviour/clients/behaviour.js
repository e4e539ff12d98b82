// Sends behaviour from a page or an app to the collector. One file, no dependencies.
//
//   <script type="module">
//     import { Behaviour } from "./behaviour.js";
//     const behaviour = new Behaviour({ url: "https://collect.example", app: "trip", channel: "online", user: "u-42" });
//     behaviour.record("hotel", "view", "hotel-7", { city: "上海" });
//   </script>
//
// What it does for you:
// - Each event gets its id here, once. However often it is sent after that, it stays one event.
// - Events go in batches, and are kept until the collector has answered 202: that means they are on a disk.
// - What is refused (`rejected`, or a 4xx for all of it, such as 401 for a wrong key) is told to `onRejected` and not
//   sent again: it never will be accepted. What is too much at once (413) is sent in smaller batches.
// - Anything else (5xx, 408, 425, 429, no network) is tried again with the same ids, later and later, while the page
//   lives.
// - What is left when the page goes away is sent as a beacon, which the browser delivers after the page is gone.
//   A beacon that is lost is lost: no answer can reach a page that is not there.

const BATCH = 100; // events of one request
const QUEUE = 2000; // events that wait at most; the oldest go first
const LATER = [408, 425, 429]; // of the 4xx those that say nothing of the events
const BEACON_BYTES = 60_000; // browsers refuse beacons above 64 KiB

export class Behaviour {
  #url; #common; #key; #onRejected;
  #waiting = []; // events that nobody has acknowledged, oldest first
  #sending = false;
  #batch = BATCH;
  #timer = null;
  #failures = 0;

  // `key` is the application's key, where the collector asks for one. `onRejected(event, {field, reason})` hears of
  // events that will never be accepted: a mistake in the page.
  constructor({ url, app, channel = "online", user, key, onRejected = console.warn }) {
    this.#url = url.replace(/\/$/, "");
    this.#common = { user_id: user, app_id: app, channel };
    this.#key = key;
    this.#onRejected = onRejected;
    // `pagehide` comes when a tab is closed or left; on phones often only `visibilitychange` does.
    // A page that is kept (`persisted`) may come back, and then goes on where it was.
    addEventListener("pagehide", (event) => this.#leave(!event.persisted));
    document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && this.#leave(false));
  }

  // Notes an event and returns its id. Texts, numbers and truth values may stand in `attributes`.
  record(business, action, item = "", attributes = {}) {
    const event_id = newId();
    const event = { event_id, ...this.#common, business, action, item_id: item, occurred_at: Date.now(), attributes };
    this.#waiting.push(event);
    if (this.#waiting.length > QUEUE) this.#waiting.shift();
    this.#schedule(this.#waiting.length >= BATCH ? 0 : 1000);
    return event_id;
  }

  #schedule(after) {
    if (this.#sending || (this.#timer && after > 0)) return;
    // While the collector is in trouble, a full batch is no reason to hurry.
    if (this.#failures > 0 && this.#timer) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#send(), after);
  }

  async #send() {
    this.#timer = null;
    const batch = this.#waiting.slice(0, this.#batch);
    if (batch.length === 0 || this.#sending) return;
    this.#sending = true;
    let again = 0;
    try {
      const headers = { "content-type": "application/json" };
      if (this.#key) headers["x-app-key"] = this.#key;
      const answer = await fetch(`${this.#url}/v1/behaviours`, {
        method: "POST", headers, body: JSON.stringify(batch), signal: AbortSignal.timeout(15_000),
      });
      if (answer.status === 413 && batch.length > 1) {
        this.#batch = Math.ceil(batch.length / 2);
      } else if (answer.status === 202 || isFinal(answer.status)) {
        this.#drop(batch);
        this.#batch = Math.min(BATCH, this.#batch * 2);
        this.#failures = 0;
        const { rejected, detail } = await answer.json().catch(() => ({}));
        // Without a verdict on each of them none was taken.
        const all = () => batch.map((_, index) => ({ index, field: null, reason: detail ?? `status ${answer.status}` }));
        const refused = rejected ?? (answer.status === 202 ? [] : all());
        for (const { index, field, reason } of refused) this.#onRejected(batch[index], { field, reason });
      } else {
        again = this.#wait(Number(answer.headers.get("retry-after")));
      }
    } catch {
      // No network, or no answer: whether the events arrived is unknown, and their ids make that harmless.
      again = this.#wait();
    }
    this.#sending = false;
    if (this.#waiting.length > 0) this.#schedule(again);
  }

  // Milliseconds until the next try: 1 s, doubling up to 60 s, at random so that pages do not come back together; never
  // sooner than the collector asked for.
  #wait(retryAfter = 0) {
    this.#failures += 1;
    const most = Math.min(60_000, 1000 * 2 ** this.#failures);
    return Math.max((retryAfter || 0) * 1000, most / 2 + (Math.random() * most) / 2);
  }

  #drop(events) {
    const gone = new Set(events.map((event) => event.event_id));
    this.#waiting = this.#waiting.filter((event) => !gone.has(event.event_id));
  }

  // Everything that waits, also what is just being sent: the ids make the two one. A page that is only hidden may come
  // back, and keeps what nobody has acknowledged.
  #leave(forGood) {
    for (let at = 0; at < this.#waiting.length; ) {
      const batch = [];
      let bytes = 2;
      for (const event of this.#waiting.slice(at)) {
        bytes += new Blob([JSON.stringify(event)]).size + 1;
        if (batch.length > 0 && bytes > BEACON_BYTES) break;
        batch.push(event);
      }
      if (!this.#beacon(JSON.stringify(batch))) return;
      if (forGood) this.#drop(batch);
      else at += batch.length;
      // Browsers let all requests that outlive a page have 64 KiB together.
      if (this.#key) return;
    }
  }

  // As text/plain a beacon needs no leave from the collector first, for which there is no time any more; but it carries no
  // key, so that with one a request is sent that outlives the page, as far as the browser still asks for its leave.
  #beacon(body) {
    if (!this.#key) return navigator.sendBeacon(`${this.#url}/v1/beacon`, body);
    const headers = { "content-type": "application/json", "x-app-key": this.#key };
    fetch(`${this.#url}/v1/behaviours`, { method: "POST", headers, body, keepalive: true }).catch(() => {});
    return true;
  }
}

// Whether the same will be answered whenever it is sent again.
function isFinal(status) {
  return status >= 400 && status < 500 && !LATER.includes(status);
}

// 32 hexadecimal digits at random; `crypto.randomUUID` is not there on pages without TLS.
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
