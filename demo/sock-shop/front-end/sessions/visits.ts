/**
 * Who is asking: the cookies `md.sid` (the session's id, 256 random bits, new at every login) and `logged_in` (one hour, as in the original).
 * A visitor is a customer only with both cookies and a session that says so; either alone means nothing. Visitors who do nothing get no session.
 */
import { randomBytes } from "node:crypto";
import { HttpError, type Request } from "@sock-shop/kit";
import type { Session, SessionCustomer, SessionStore } from "./store.ts";

export interface Visit {
  readonly id: string | undefined;
  readonly session: Session | undefined;
  readonly customer: SessionCustomer | undefined;
}

export interface Visits {
  /** Throws HttpError 503 when the sessions are out of reach; visitors without a cookie don't need them. */
  read(request: Request): Promise<Visit>;
  /** The customer, or HttpError 401. */
  customer(request: Request): Promise<SessionCustomer>;
  /** The visit with a cart of its own, and the cookies to send where it is new. */
  withCart(request: Request): Promise<{ readonly cartId: string; readonly cookies: readonly string[] }>;
  /** A new session in place of the old one; what is returned are the cookies to send. */
  logIn(request: Request, customer: SessionCustomer, unmergedCartId: string | undefined): Promise<readonly string[]>;
  /** The customer's session no longer holds a cart to merge. */
  forgetCart(visit: Visit): Promise<void>;
  logOut(request: Request): Promise<readonly string[]>;
}

const SESSION_COOKIE = "md.sid";
const LOGIN_COOKIE = "logged_in";
const VISITOR_TTL_S = 24 * 3600;
const LOGIN_TTL_S = 3600;

export function createVisits(store: SessionStore): Visits {
  const reach = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (cause) {
      throw new HttpError(503, "sessions are out of reach at the moment", cause);
    }
  };
  const read = async (request: Request): Promise<Visit> => {
    const id = readCookie(request, SESSION_COOKIE);
    if (id === undefined || !/^[\w-]{43}$/.test(id)) return { id: undefined, session: undefined, customer: undefined };
    const session = await reach(() => store.find(id));
    const isLoggedIn = readCookie(request, LOGIN_COOKIE) !== undefined;
    return {
      id: session === undefined ? undefined : id,
      session,
      customer: isLoggedIn ? session?.customer : undefined,
    };
  };
  const start = async (session: Session, ttlSeconds: number): Promise<string> => {
    const id = randomBytes(32).toString("base64url");
    await reach(() => store.save(id, session, ttlSeconds));
    return id;
  };
  return {
    read,
    async customer(request) {
      const { customer } = await read(request);
      if (customer === undefined) throw new HttpError(401, "please log in");
      return customer;
    },
    async withCart(request) {
      const { session, customer } = await read(request);
      if (customer !== undefined) return { cartId: customer.id, cookies: [] };
      // A session whose login has run out is not gone back to: its cart was the customer's.
      if (session?.cartId !== undefined && session.customer === undefined)
        return { cartId: session.cartId, cookies: [] };
      const cartId = randomBytes(16).toString("hex");
      const id = await start({ cartId }, VISITOR_TTL_S);
      return { cartId, cookies: [cookie(request, SESSION_COOKIE, id, VISITOR_TTL_S)] };
    },
    async logIn(request, customer, unmergedCartId) {
      const { id: previous } = await read(request);
      const session = { customer, ...(unmergedCartId === undefined ? {} : { cartId: unmergedCartId }) };
      const id = await start(session, LOGIN_TTL_S);
      if (previous !== undefined) await reach(() => store.remove(previous));
      return [cookie(request, SESSION_COOKIE, id, LOGIN_TTL_S), cookie(request, LOGIN_COOKIE, "true", LOGIN_TTL_S)];
    },
    async forgetCart({ id, customer }) {
      if (id !== undefined && customer !== undefined) await reach(() => store.save(id, { customer }, LOGIN_TTL_S));
    },
    async logOut(request) {
      const { id } = await read(request);
      if (id !== undefined) await reach(() => store.remove(id));
      return [cookie(request, SESSION_COOKIE, "", 0), cookie(request, LOGIN_COOKIE, "", 0)];
    },
  };
}

function cookie(request: Request, name: string, value: string, maxAge: number): string {
  const secure = request.headers["x-forwarded-proto"] === "https" ? "; Secure" : "";
  return `${name}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure}`;
}

function readCookie(request: Request, name: string): string | undefined {
  for (const pair of (request.headers.cookie ?? "").split(";")) {
    const [key, ...rest] = pair.trim().split("=");
    if (key === name && rest.length > 0) return rest.join("=");
  }
  return undefined;
}
