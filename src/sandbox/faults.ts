// Troubles that tests switch on: which request is hit, by what, how often.

import type { Gateway } from './gateway.js';
import type {
  BrokenDownload,
  Fault,
  FaultKind,
  FaultMatch,
  Faults,
  RecordedRequest,
  SandboxInteraction,
} from './types.js';
import type { World } from './world.js';

/** What happens to a request that is hit. */
export interface Effect {
  readonly kind: FaultKind;
  /** of `status` */
  readonly status: number;
  /** of `late`, ms */
  readonly delay: number;
  /** of `rate-limit`, s */
  readonly retryAfter: number;
  readonly headers: boolean;
  readonly global: boolean;
}

const NOTHING = { status: 0, delay: 0, retryAfter: 0, headers: true, global: false };

class Switch implements Fault {
  readonly effect: Effect;
  readonly #match: FaultMatch;
  readonly #all: Set<Switch>;
  #passed = 0;
  #hits = 0;

  constructor(effect: Effect, match: FaultMatch, all: Set<Switch>) {
    this.effect = effect;
    this.#match = match;
    this.#all = all;
    all.add(this);
  }

  get kind(): FaultKind {
    return this.effect.kind;
  }

  get hits(): number {
    return this.#hits;
  }

  remove(): void {
    this.#all.delete(this);
  }

  takes(request: RecordedRequest): boolean {
    const { method, path, when, times = 1, after = 0 } = this.#match;
    if (this.#hits >= times) return false;
    if (method !== undefined && method.toUpperCase() !== request.method) return false;
    if (typeof path === 'string' && !request.path.includes(path)) return false;
    if (path instanceof RegExp && !path.test(request.path)) return false;
    if (when !== undefined && !when(request)) return false;
    this.#passed += 1;
    if (this.#passed <= after) return false;
    this.#hits += 1;
    return true;
  }
}

export class FaultSwitches implements Faults {
  readonly #all = new Set<Switch>();
  readonly #downloads: BrokenDownload[] = [];
  readonly #world: World;
  readonly #gateway: Gateway;

  constructor(world: World, gateway: Gateway) {
    this.#world = world;
    this.#gateway = gateway;
  }

  /** The first fault that takes this request. */
  take(request: RecordedRequest): Effect | undefined {
    for (const one of this.#all) if (one.takes(request)) return one.effect;
    return undefined;
  }

  rateLimit(
    match: FaultMatch,
    options: { retryAfter?: number; headers?: boolean; global?: boolean } = {},
  ): Fault {
    const { retryAfter = 0.5, headers = true, global = false } = options;
    return this.#add({ ...NOTHING, kind: 'rate-limit', retryAfter, headers, global }, match);
  }

  status(match: FaultMatch, status: number): Fault {
    return this.#add({ ...NOTHING, kind: 'status', status }, match);
  }

  late(match: FaultMatch, ms: number): Fault {
    return this.#add({ ...NOTHING, kind: 'late', delay: ms }, match);
  }

  lost(match: FaultMatch): Fault {
    return this.#add({ ...NOTHING, kind: 'lost' }, match);
  }

  lostBefore(match: FaultMatch): Fault {
    return this.#add({ ...NOTHING, kind: 'lost-before' }, match);
  }

  unknownMessage(match: FaultMatch): Fault {
    return this.#add({ ...NOTHING, kind: 'unknown-message' }, match);
  }

  missingAccess(match: FaultMatch): Fault {
    return this.#add({ ...NOTHING, kind: 'missing-access' }, match);
  }

  deadToken(match: FaultMatch): Fault {
    return this.#add({ ...NOTHING, kind: 'dead-token' }, match);
  }

  brokenDownload(how: BrokenDownload, times = 1): void {
    this.#downloads.push(...Array.from({ length: times }, () => how));
  }

  /** What is to become of a download; undefined: it goes well. */
  takeDownload(): BrokenDownload | undefined {
    return this.#downloads.shift();
  }

  expire(interaction: SandboxInteraction): void {
    const found = this.#world.interactions.get(interaction.id);
    if (!found) throw new Error(`There is no interaction ${interaction.id}.`);
    found.expired = true;
  }

  dropSockets(code?: number): void {
    this.#gateway.dropSockets(code);
  }

  invalidSession(resumable: boolean): void {
    this.#gateway.invalidSession(resumable);
  }

  reconnect(): void {
    this.#gateway.reconnect();
  }

  muteHeartbeats(): void {
    this.#gateway.muteHeartbeats();
  }

  clear(): void {
    this.#all.clear();
    this.#downloads.length = 0;
  }

  #add(effect: Effect, match: FaultMatch): Fault {
    return new Switch(effect, match, this.#all);
  }
}
