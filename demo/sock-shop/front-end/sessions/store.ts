/** Where sessions live: in this process (bounded, gone with it) or in Redis (redis-store.ts), the same for both. */
export interface Session {
  /** The visitor's cart while nobody is logged in; kept after a login only until that cart is merged into the customer's. */
  readonly cartId?: string;
  readonly customer?: SessionCustomer;
}

export interface SessionCustomer {
  readonly id: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly username: string;
}

export interface SessionStore {
  find(id: string): Promise<Session | undefined>;
  save(id: string, session: Session, ttlSeconds: number): Promise<void>;
  remove(id: string): Promise<void>;
  close(): Promise<void>;
}

const MAX_SESSIONS = 10_000;

/** At most MAX_SESSIONS; the oldest make room. */
export function createMemorySessions(now: () => number = Date.now, maxSessions = MAX_SESSIONS): SessionStore {
  const kept = new Map<string, { readonly session: Session; readonly expiresAtMs: number }>();
  return {
    async find(id) {
      const entry = kept.get(id);
      if (entry === undefined) return undefined;
      if (entry.expiresAtMs > now()) return entry.session;
      kept.delete(id);
      return undefined;
    },
    async save(id, session, ttlSeconds) {
      kept.delete(id);
      for (const oldest of kept.keys()) {
        if (kept.size < maxSessions) break;
        kept.delete(oldest);
      }
      kept.set(id, { session, expiresAtMs: now() + ttlSeconds * 1000 });
    },
    async remove(id) {
      kept.delete(id);
    },
    async close() {
      kept.clear();
    },
  };
}
