// What `ylem --help` says.

import { expect, it } from 'vitest';
import * as help from '../../src/cli/help.js';

it.each(Object.entries(help))('%s fits a terminal of 80 columns', (_, text) => {
  expect(text.split('\n').filter((line) => [...line].length > 79)).toEqual([]);
});
