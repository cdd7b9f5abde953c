// What the command line of `ylem imagine` means, and what it says of what means nothing.

import { describe, expect, it } from 'vitest';
import { parseImagine, schedulerNamed } from '../../src/cli/arguments.js';
import { UserError } from '../../src/errors.js';

const OUT = ['--out', 'fox.png'];

describe('the arguments of imagine', () => {
  it('leaves to the model what was not asked for', () => {
    expect(parseImagine(['a red fox', ...OUT])).toEqual({
      prompt: 'a red fox',
      out: 'fox.png',
      model: undefined,
      negative: '',
      seed: undefined,
      steps: undefined,
      guidance: undefined,
      width: undefined,
      height: undefined,
      scheduler: undefined,
      evolution: undefined,
      init: undefined,
      strength: undefined,
      noise: undefined,
      weighting: false,
      clipSkip: undefined,
      json: false,
    });
  });

  it('reads every option', () => {
    const args = ['', ...OUT, '--seed', '4294967295', '--steps', '7', '--guidance', '2.5'];
    args.push('--width', '64', '--height=32', '--scheduler', 'euler a', '--negative', 'fog');
    args.push('--model', 'm', '--evolution', 'e.webp', '--json', '--init', 'i.jpg');
    args.push('--strength', '0.3', '--mask', 'm.png', '--noise', 'nv', '--weighting');
    args.push('--clip-skip', '1');
    expect(parseImagine(args)).toEqual({
      prompt: '',
      out: 'fox.png',
      model: 'm',
      negative: 'fog',
      seed: 4294967295,
      steps: 7,
      guidance: 2.5,
      width: 64,
      height: 32,
      scheduler: 'Euler a',
      evolution: 'e.webp',
      init: { image: 'i.jpg', mask: 'm.png' },
      strength: 0.3,
      noise: 'nv',
      weighting: true,
      clipSkip: 1,
      json: true,
    });
  });

  it('paints all of a masked part anew, and most of an image, unless told otherwise', () => {
    const strength = (...args: string[]) => parseImagine(['x', ...OUT, ...args]);
    expect(strength('--init', 'i.png')).toMatchObject({ strength: 0.8 });
    expect(strength('--init', 'i.png', '--mask', 'm.png')).toMatchObject({ strength: 1 });
    expect(strength('--init', 'i.png', '--strength', '1')).toMatchObject({ strength: 1 });
  });

  it.each([
    [['x'], /--out/],
    [[...OUT], /prompt/],
    [['red', 'fox', ...OUT], /quotes/],
    [['x', '--out', 'fox.jpg'], /\.png/],
    [['x', ...OUT, '--seed', '-5'], /--seed .* got "-5"/],
    [['x', ...OUT, '--seed', '4294967296'], /0 to 4294967295/],
    [['x', ...OUT, '--seed', '1e3'], /whole number/],
    [['x', ...OUT, '--seed', ''], /whole number/],
    [['x', ...OUT, '--steps', '0'], /1 to 150/],
    [['x', ...OUT, '--steps', '2.5'], /whole number/],
    [['x', ...OUT, '--guidance', '-0.5'], /0 to 30/],
    [['x', ...OUT, '--guidance', 'NaN'], /0 to 30/],
    [['x', ...OUT, '--scheduler', 'Magic'], /^There is no scheduler "Magic"\. .*DDIM, DDPM, PNDM/],
    [['x', ...OUT, '--evolution', 'e.mp4'], /\.webp/],
    [['x', ...OUT, '--colour', 'red'], /'--colour' \(see ylem imagine --help\)\.$/],
    [
      ['x', ...OUT, '--size', '3'],
      /'--size'; use --width and --height \(see ylem imagine --help\)\.$/,
    ],
    [['x', ...OUT, '--size=3'], /use --width and --height/],
    [['x', ...OUT, '--seed'], /--seed .*missing \(see/],
    [['x', ...OUT, '--strength', '0.5'], /--strength belongs to .*--init/],
    [['x', ...OUT, '--mask', 'a.png'], /--mask belongs to .*--init/],
    [['x', ...OUT, '--init', 'a.png', '--strength', '0'], /above 0/],
    [['x', ...OUT, '--init', 'a.png', '--strength', '1.1'], /0 to 1/],
    [['x', ...OUT, '--noise', 'gpu'], /cpu or nv/],
    [['x', ...OUT, '--clip-skip', '-1'], /--clip-skip .*whole number/],
  ])('%j is refused in one line', (args, reason) => {
    let thrown: unknown;
    try {
      parseImagine(args);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(UserError);
    expect(thrown).toMatchObject({ identifier: 'bad-argument' });
    expect((thrown as UserError).message).toMatch(reason);
    expect((thrown as UserError).message).not.toContain('\n');
  });
});

describe('scheduler names', () => {
  it.each([
    ['DPM++ 2M Karras', 'DPM++ 2M Karras'],
    ['dpm++ 2m', 'DPM++ 2M'],
    ['dpmpp_2m_karras', 'DPM++ 2M Karras'],
    ['EULER A', 'Euler a'],
    ['euler_a', 'Euler a'],
    ['EulerAncestralDiscreteScheduler', 'Euler a'],
    ['ddimscheduler', 'DDIM'],
    ['DPMSolverMultistepScheduler', 'DPM++ 2M'],
    ['lcm', 'LCM'],
    ['k_dpmpp_2m_sde_karras', 'DPM++ 2M SDE Karras'],
    ['dpm_2_ancestral', 'DPM2 a'],
    ['KDPM2DiscreteScheduler', 'DPM2'],
    ['uni_pc', 'UniPC'],
    ['PLMS', 'PNDM'],
  ])('%s means %s', (text, name) => {
    expect(schedulerNamed(text)).toBe(name);
  });
});
