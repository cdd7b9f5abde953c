// When a silent engine is taken for a dead one, with ticks instead of a clock.

import { describe, expect, it } from 'vitest';
import { Watchdog } from '../../src/engine/watchdog.js';

/** Lets `ms` of silence pass; returns whether the watchdog gave up. */
function silence(dog: Watchdog, ms: number): boolean {
  for (let gone = 0; gone < ms; gone += dog.tickMs) {
    if (dog.tick(dog.tickMs)) return true;
  }
  return false;
}

function warm(stallMs: number): Watchdog {
  const dog = new Watchdog({ stallMs, loadMs: 10 * stallMs });
  dog.loadEnded();
  dog.runEnded();
  return dog;
}

describe('Watchdog', () => {
  it('gives up an engine that keeps silent for longer than stallMs', () => {
    expect(silence(warm(1000), 900)).toBe(false);
    expect(silence(warm(1000), 1500)).toBe(true);
  });

  it('counts from the last word', () => {
    const dog = warm(1000);
    for (let i = 0; i < 10; i++) {
      expect(silence(dog, 800)).toBe(false);
      dog.heard();
    }
  });

  it('allows loadMs while a model is loaded and more than usual in the first run', () => {
    const dog = new Watchdog({ stallMs: 1000, loadMs: 20_000 });
    expect(silence(dog, 15_000)).toBe(false);
    dog.loadEnded();
    expect(silence(dog, 4000)).toBe(false);
    dog.heard();
    dog.runEnded();
    // 4 s were seen to be a call of this host: several times as long is still no stall.
    expect(silence(dog, 20_000)).toBe(false);
    expect(silence(dog, 40_000)).toBe(true);
  });

  it('does not take the time of loading for that of a model call', () => {
    const dog = new Watchdog({ stallMs: 1000, loadMs: 60_000 });
    expect(silence(dog, 50_000)).toBe(false);
    dog.loadEnded();
    dog.runEnded();
    expect(silence(dog, 1500)).toBe(true);
  });

  it('allows a larger picture more time than the ones it was measured on', () => {
    const dog = warm(1000);
    dog.runBegins(256 * 256);
    expect(silence(dog, 800)).toBe(false);
    dog.heard();
    dog.runEnded();
    dog.runBegins(512 * 512);
    expect(silence(dog, 4 * 6000)).toBe(false);
  });

  it('does not count the time in which the bot itself stood still', () => {
    const dog = warm(1000);
    expect(dog.tick(3_600_000)).toBe(false);
    dog.heard();
    expect(dog.tick(dog.tickMs)).toBe(false);
  });
});
