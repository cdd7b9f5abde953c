// What the log says of providers that were not taken.
import { expect, it } from 'vitest';
import { untaken } from '../../src/engine/untaken.js';

const providersTried = [
  { name: 'cuda', reason: 'its libraries are not installed', kind: 'other' },
  { name: 'coreml', reason: 'there is none here', kind: 'other' },
  { name: 'dml', reason: 'there is none here', kind: 'other' },
] as const;
const GPU = ['/dev/dri/renderD128'];

it('is one line for each reason', () => {
  const lines = [
    'provider cuda was not taken: its libraries are not installed',
    'providers coreml and dml were not taken: there is none here',
  ];
  expect(untaken({ provider: 'cpu', providersTried }, GPU)).toEqual(lines);
  expect(untaken({ provider: 'webgpu', providersTried }, [])).toEqual(lines);
  expect(untaken({ provider: 'cpu', providersTried }, undefined)).toEqual(lines);
});

it('is one line alone on a machine that shows no GPU', () => {
  const lines = untaken({ provider: 'cpu', providersTried }, []);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/no GPU .*\/dev\/nvidia0.*ylem doctor/);
});

it('is nothing where the first one was taken', () => {
  expect(untaken({ provider: 'cuda', providersTried: [] }, GPU)).toEqual([]);
  expect(untaken({ provider: 'cpu', providersTried: [] }, [])).toEqual([]);
});
