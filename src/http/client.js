// Muster's client for browsers and Node: follows the events of one user over a websocket and loses none.
//
// It keeps the cursor, comes back by itself, removes repeats, and hands every event to a callback with the
// name that it has in the SDK. It depends on nothing. What it does and why: docs/decisions/client.md.

/** The longest delay before the first attempt to come back; each further attempt doubles it ... */
const FIRST_MS = 500;
/** ... up to this. */
const MOST_MS = 30_000;
/** A connection that was ready for so long was a good one: the delays begin anew. */
const STABLE_MS = 10_000;
/** So long an attempt may take, from the question for a token up to `welcome`. */
const OPENING_MS = 30_000;
/** The heartbeat, should the server not name one. */
const HEARTBEAT_MS = 25_000;
/** Longest `hello` that a server takes, and longest frame after it, in bytes. */
const HELLO_BYTES = 512 * 1024;
const FRAME_BYTES = 4 * 1024;
/** Longest time that a timer can be set to. */
const TIMER_MS = 2 ** 31 - 1;

const CREDENTIAL = 4001;
const PROTOCOL = 4002;

/** Every event, and what its callback gets between the group's id and the event itself, in the SDK's order. */
const EVENTS = {
  onGroupCreated: () => [],
  onMemberInvited: (event) => [event.opUser, event.memberList],
  onMemberEnter: (event) => [event.memberList],
  onMemberLeave: (event) => [event.member],
  onMemberKicked: (event) => [event.opUser, event.memberList],
  onMemberInfoChanged: (event) => [event.memberList],
  onGroupInfoChanged: (event) => [event.changeInfos],
  onGroupDismissed: (event) => [event.opUser],
  onGrantAdministrator: (event) => [event.opUser, event.memberList],
  onRevokeAdministrator: (event) => [event.opUser, event.memberList],
  onGroupAttributeChanged: (event) => [event.attributes],
  onReceiveJoinApplication: (event) => [event.opUser, event.application?.message],
  onReceiveInvitation: (event) => [event.opUser, event.application],
  onApplicationProcessed: (event) => [event.opUser, event.opResult, event.opReason],
};

/** Events that make those members whom they name, and events that end their memberships. */
const BEGINS = ["onGroupCreated", "onMemberInvited", "onMemberEnter"];
const ENDS = ["onMemberLeave", "onMemberKicked"];

/**
 * @typedef {object} Cursor Where a client stands. It belongs to one user.
 * @property {string} userID Whose it is.
 * @property {string} epoch The history that the numbers belong to.
 * @property {number} user The last of his own events.
 * @property {Record<string, number>} groups The last event of each group that he is a member of.
 */

/**
 * @typedef {string | {token: string, expiresAt?: Date | number | string}} Token A token, and when it ends: a
 * `Date`, milliseconds since 1970, or RFC 3339. Of a JWT the end need not be told.
 */

/**
 * @typedef {object} Options
 * @property {string} [url] The server, such as `https://muster.example`; usually where this module came from.
 * @property {Token | (() => Token | Promise<Token>)} token The user's token, or a function that gets one. The
 * function is asked for each connection, and shortly before the token ends, if its end is known.
 * @property {Cursor | null} [cursor] Where to go on; without it, at the present end of everything.
 * @property {typeof WebSocket} [WebSocket] The class, where there is no global one (Node before 22).
 *
 * @property {(groupID: string, event: object) => void} [onGroupCreated]
 * @property {(groupID: string, opUser: object, memberList: object[], event: object) => void} [onMemberInvited]
 * @property {(groupID: string, memberList: object[], event: object) => void} [onMemberEnter]
 * @property {(groupID: string, member: object, event: object) => void} [onMemberLeave]
 * @property {(groupID: string, opUser: object, memberList: object[], event: object) => void} [onMemberKicked]
 * @property {(groupID: string, memberList: object[], event: object) => void} [onMemberInfoChanged]
 * @property {(groupID: string, changeInfos: object[], event: object) => void} [onGroupInfoChanged]
 * @property {(groupID: string, opUser: object, event: object) => void} [onGroupDismissed]
 * @property {(groupID: string, opUser: object, memberList: object[], event: object) => void} [onGrantAdministrator]
 * @property {(groupID: string, opUser: object, memberList: object[], event: object) => void} [onRevokeAdministrator]
 * @property {(groupID: string, attributes: Record<string, string | null>, event: object) => void} [onGroupAttributeChanged]
 * @property {(groupID: string, opUser: object, message: string, event: object) => void} [onReceiveJoinApplication]
 * @property {(groupID: string, opUser: object, application: object, event: object) => void} [onReceiveInvitation]
 * @property {(groupID: string, opUser: object | undefined, opResult: boolean, opReason: string | undefined, event: object) => void} [onApplicationProcessed]
 * @property {(event: object) => void} [onEvent] Every event, before its own callback; also kinds that this
 * module does not know yet. `event.silent` asks to show nothing.
 *
 * @property {(welcome: {userID: string, epoch: string, userSeq: number, groups: {groupID: string, seq: number,
 * head: number, role: string}[]}) => void} [onWelcome] A connection is open: all groups of the user.
 * @property {() => void} [onReady] What was missed has been handed over; from here on everything is live.
 * @property {(reset: {scope: "all" | "user" | "group", groupID?: string, seq?: number, why: string}) => void}
 * [onReset] What cannot be replayed: load it over REST. Besides the server's reasons, `why` is `gone` (the
 * user is no longer a member, and the log no longer tells how that came), `user` (the cursor was another
 * user's) or `size` (the cursor grew too long to be sent).
 * @property {(end: {code?: number, why: string, final: boolean, delayMs?: number}) => void} [onDisconnect] A
 * connection ended or could not be made. Unless `final`, the next attempt follows after `delayMs`.
 * @property {(cursor: Cursor) => void} [onCursor] The cursor moved; after the callbacks of the event that
 * moved it. Keep it where it outlives the page.
 * @property {(error: unknown, where: string) => void} [onError] A callback threw, or the token function did;
 * without it, the console is told.
 */

/**
 * Follows the events of a user until `close`.
 *
 * @param {Options} options
 * @returns {{cursor: Cursor | undefined, close: () => void}} `cursor` is where the client stands now; within
 * a callback it includes the event that the callback is about.
 */
export function connect(options) {
  return new Client(options);
}

class Client {
  #options;
  #url;
  #Socket;
  /** Where the client stands: userID, epoch, user and a Map of groups. */
  #place;
  /** Where memberships ended that the cursor no longer has, so that a repeat is known for one. */
  #ended = new Map();
  /** Where this connection stands by the server's word, and its `welcome` until all groups were named. */
  #start;
  #welcome;
  #socket;
  #timers = new Set();
  /** The number of this attempt: what belongs to an earlier one comes too late. */
  #attempt = 0;
  #failures = 0;
  #readySince;
  /** Ticks since a frame was heard, and since the connection opened. */
  #quiet = 0;
  #ticks = 0;
  #token;
  #refused;
  /** Why the app has to load everything although the server does not know it. */
  #lostPlace;
  #closed = false;

  constructor(options) {
    this.#options = options;
    this.#url = address(options.url ?? new URL(".", import.meta.url).href);
    this.#Socket = options.WebSocket ?? globalThis.WebSocket;
    if (!this.#Socket) throw new TypeError("there is no WebSocket here: give its class as the option WebSocket");
    const { cursor } = options;
    if (cursor !== undefined && cursor !== null) {
      // To go on without it would be the silent gap that a cursor is there to prevent.
      if (typeof cursor.epoch !== "string") throw new TypeError("this is no cursor");
      const { userID, epoch, user, groups } = cursor;
      this.#place = { userID, epoch, user, groups: new Map(Object.entries(groups ?? {})) };
    }
    this.#open();
  }

  get cursor() {
    const place = this.#place;
    return place && { ...place, groups: Object.fromEntries(place.groups) };
  }

  /** Ends it. From here on nothing is called, but for what belongs to the event at hand. */
  close() {
    this.#closed = true;
    this.#leave();
  }

  // Opening

  async #open() {
    const attempt = ++this.#attempt;
    const current = () => attempt === this.#attempt;
    this.#later(OPENING_MS, () => this.#start || this.#lost({ why: "there was no welcome in time" }));
    let given;
    try {
      given = await this.#ask();
    } catch (error) {
      if (!current()) return;
      this.#report(error, "token");
      this.#lost({ why: "there is no token" });
      return;
    }
    if (!current()) return;
    try {
      this.#socket = new this.#Socket(this.#url);
    } catch (error) {
      this.#report(error, "WebSocket");
      this.#lost({ why: "there is no websocket" });
      return;
    }
    const socket = this.#socket;
    socket.onopen = () => this.#hello(given);
    socket.onmessage = ({ data }) => this.#hear(data);
    socket.onclose = ({ code, reason }) => this.#lost({ code, why: reason || "the connection broke" });
    // `close` follows and says what there is to say.
    socket.onerror = () => {};
  }

  /** Asks the app for a token. */
  async #ask() {
    const { token } = this.#options;
    const given = typeof token === "function" ? await token() : token;
    const whole = given !== null && typeof given === "object" ? given : { token: given };
    const until = whole.expiresAt === undefined ? endOfJwt(whole.token) : new Date(whole.expiresAt).getTime();
    return { token: whole.token ?? undefined, until };
  }

  #hello({ token, until }) {
    this.#token = token;
    const hello = (cursor) => JSON.stringify({ type: "hello", token, cursor });
    const { userID, ...cursor } = this.cursor ?? {};
    let text = hello(this.#place && cursor);
    if (text.length > HELLO_BYTES) {
      this.#forget("size");
      text = hello();
    }
    this.#socket.send(text);
    this.#renewBefore(until);
  }

  /** Starts anew: whatever the app knows, it has to load again. */
  #forget(why) {
    this.#place = undefined;
    this.#lostPlace = why;
  }

  /** `welcome` and the `groups` behind it are complete: this is where the connection starts. */
  #opened() {
    const welcome = this.#welcome;
    this.#welcome = undefined;
    const start = this.#start;
    this.#place ??= { ...start, groups: new Map(start.groups) };
    const place = this.#place;
    place.userID ??= start.userID;
    place.user ??= start.user;
    // A place that is known moves with events and resets only: the replay comes from there.
    for (const [group, seq] of start.groups) if (!place.groups.has(group)) place.groups.set(group, seq);
    this.#call("onWelcome", welcome);
    const why = this.#lostPlace;
    this.#lostPlace = undefined;
    if (why) this.#call("onReset", { scope: "all", why });
    this.#moved();
  }

  // Hearing

  #hear(data) {
    this.#quiet = 0;
    const attempt = this.#attempt;
    try {
      const frame = JSON.parse(data);
      if (this.#welcome && frame.type !== "groups") this.#opened();
      // A callback may have closed the client.
      if (attempt === this.#attempt) this.#take(frame);
    } catch (error) {
      this.#report(error, "frame");
      this.#lost({ why: "a frame cannot be read" });
    }
  }

  #take(frame) {
    switch (frame.type) {
      case "welcome": return this.#greet(frame);
      case "groups": return this.#list(frame.groups);
      case "event": return frame.stream === "user" ? this.#ownEvent(frame) : this.#groupEvent(frame);
      case "reset": return this.#reset(frame);
      case "ready": return this.#ready();
      case "bye": return this.#lost({ code: frame.code, why: frame.why ?? "bye", retryMs: frame.retryMs });
    }
  }

  #greet({ userID, epoch, userSeq, groups, heartbeatMs }) {
    this.#refused = undefined;
    if (this.#place?.userID !== undefined && this.#place.userID !== userID) {
      this.#forget("user");
      this.#lost({ why: "the cursor is another user's", retryMs: 0 });
      return;
    }
    this.#start = { userID, epoch, user: userSeq, groups: new Map() };
    this.#welcome = { userID, epoch, userSeq, groups: [] };
    this.#list(groups);
    this.#tick((heartbeatMs || HEARTBEAT_MS) / 2);
  }

  #list(groups) {
    for (const { groupID, seq } of groups) this.#start.groups.set(groupID, seq);
    this.#welcome.groups.push(...groups);
  }

  #ownEvent(event) {
    const { userSeq } = event;
    if (userSeq <= this.#place.user) return;
    if (userSeq > this.#place.user + 1) {
      this.#gap(event);
      return;
    }
    this.#place.user = this.#start.user = userSeq;
    this.#tell(event);
  }

  #groupEvent(event) {
    const { groupID, seq } = event;
    const [place, start] = [this.#place, this.#start];
    const known = place.groups.get(groupID);
    if (seq <= (known ?? this.#ended.get(groupID) ?? 0)) return;
    const begins = BEGINS.includes(event.event) && this.#isNamed(event);
    if (!begins && seq !== known + 1) {
      this.#gap(event);
      return;
    }
    if (event.event === "onGroupDismissed" || (ENDS.includes(event.event) && this.#isNamed(event))) {
      // Without a place there, the server tells of the next membership from its beginning.
      place.groups.delete(groupID);
      start.groups.delete(groupID);
      this.#ended.set(groupID, seq);
    } else {
      place.groups.set(groupID, seq);
      start.groups.set(groupID, seq);
    }
    this.#tell(event);
  }

  /** An event is missing before this one. A server never lets that happen; should it, the log is asked. */
  #gap(event) {
    this.#lost({ why: `an event is missing before ${event.seq ?? event.userSeq} of ${event.groupID}` });
  }

  #isNamed({ member, memberList = [] }) {
    return [member, ...memberList].some((one) => one?.userID === this.#start.userID);
  }

  /** The place has moved: from here on the event counts as applied, whatever the callbacks do. */
  #tell(event) {
    this.#call("onEvent", event);
    if (Object.hasOwn(EVENTS, event.event)) {
      this.#call(event.event, event.groupID, ...EVENTS[event.event](event), event);
    }
    this.#moved();
  }

  #reset({ scope, groupID, seq, why }) {
    const [place, start] = [this.#place, this.#start];
    if (scope === "all") {
      this.#place = { ...start, groups: new Map(start.groups) };
      this.#ended.clear();
    } else if (scope === "user") {
      place.user = start.user = seq;
    } else if (start.groups.has(groupID)) {
      place.groups.set(groupID, seq);
      start.groups.set(groupID, seq);
    } else {
      // His membership has ended; REST will say so.
      place.groups.delete(groupID);
      this.#ended.set(groupID, seq);
    }
    this.#call("onReset", { scope, groupID, seq, why });
    this.#moved();
  }

  #ready() {
    this.#readySince = performance.now();
    const [place, start] = [this.#place, this.#start];
    for (const groupID of [...place.groups.keys()]) {
      if (start.groups.has(groupID)) continue;
      // The app believes him a member, and the log is too short to say how that ended.
      place.groups.delete(groupID);
      this.#call("onReset", { scope: "group", groupID, why: "gone" });
      this.#moved();
    }
    this.#call("onReady");
  }

  // Staying

  /** Twice in a heartbeat. Counted in ticks and not in time: a page that slept for an hour was not left. */
  #tick(ms) {
    this.#later(ms, () => {
      this.#quiet += 1;
      this.#ticks += 1;
      if (this.#quiet >= 5) {
        this.#lost({ why: "nothing was heard of the server" });
        return;
      }
      // A page does not see the pings of the transport, so it asks for a frame that it sees.
      if (this.#ticks % 2 === 0) this.#say({ type: "ping" });
      this.#tick(ms);
    });
  }

  #renewBefore(until) {
    const left = until - Date.now();
    if (typeof this.#options.token !== "function" || !(left > 0)) return;
    // A minute before the end, or when three quarters are over.
    this.#later(Math.max(left - Math.min(60_000, left / 4), 1_000), () => this.#renew(until));
  }

  async #renew(until) {
    const attempt = this.#attempt;
    try {
      const fresh = await this.#ask();
      if (attempt !== this.#attempt) return;
      const auth = { type: "auth", token: fresh.token };
      if (JSON.stringify(auth).length > FRAME_BYTES) {
        this.#lost({ why: "the token is too long to be renewed", retryMs: 0 });
        return;
      }
      this.#token = fresh.token;
      this.#say(auth);
      this.#renewBefore(fresh.until);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      this.#report(error, "token");
      this.#renewBefore(until);
    }
  }

  #say(frame) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(frame));
  }

  // Leaving and coming back

  /** The connection is no more, whoever ended it. The only way back is from here. */
  #lost({ code, why, retryMs }) {
    if (this.#closed) return;
    const stable = this.#readySince !== undefined && performance.now() - this.#readySince >= STABLE_MS;
    this.#leave();
    if (stable) this.#failures = 0;
    const before = code === CREDENTIAL ? this.#refused : undefined;
    if (code === CREDENTIAL) this.#refused = { token: this.#token };
    const final = code === PROTOCOL || (before !== undefined && before.token === this.#token);
    if (final) {
      this.#closed = true;
      this.#call("onDisconnect", { code, why, final });
      return;
    }
    // Anything from nothing to the whole delay, so that those who were cut off together do not return so.
    const drawn = Math.random() * Math.min(MOST_MS, FIRST_MS * 2 ** this.#failures);
    this.#failures += 1;
    let delayMs = retryMs >= 0 ? retryMs : drawn;
    // Token after token is refused: no reason to ask as often as the server bears it.
    if (before !== undefined) delayMs = Math.max(delayMs, drawn);
    this.#later(delayMs, () => this.#open());
    this.#call("onDisconnect", { code, why, final, delayMs });
  }

  /** Leaves this connection, and everything that was still to happen in it. */
  #leave() {
    this.#attempt += 1;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    const socket = this.#socket;
    this.#socket = this.#start = this.#welcome = this.#readySince = undefined;
    this.#quiet = this.#ticks = 0;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #later(ms, act) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, Math.min(ms, TIMER_MS));
    this.#timers.add(timer);
  }

  // The app

  /** Calls the app. What it throws is its own affair: neither the cursor nor the socket waits for it. */
  #call(name, ...given) {
    const callback = this.#options[name];
    if (!callback) return;
    try {
      const result = callback(...given);
      result?.then?.(undefined, (error) => this.#report(error, name));
    } catch (error) {
      this.#report(error, name);
    }
  }

  #moved() {
    if (this.#options.onCursor) this.#call("onCursor", this.cursor);
  }

  #report(error, where) {
    try {
      if (this.#options.onError) this.#options.onError(error, where);
      else console.error(`Muster's client, ${where}:`, error);
    } catch (second) {
      console.error(`Muster's client, onError:`, second);
    }
  }
}

/** The websocket's address on a server. */
function address(server) {
  const url = new URL("v1/events", server.endsWith("/") ? server : `${server}/`);
  url.protocol = url.protocol.replace(/^http/, "ws");
  if (!/^wss?:$/.test(url.protocol)) throw new TypeError(`${server} is no server: give one as the option url`);
  return url.href;
}

/** When a token ends, in milliseconds, if it is a JWT that says so. */
function endOfJwt(token) {
  try {
    const [, claims] = token.split(".");
    return JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/"))).exp * 1000;
  } catch {
    return undefined;
  }
}
