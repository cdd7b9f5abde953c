// From what the model predicts to x0 and epsilon, at signal level alpha-bar.

const f = Math.fround;

export function toOriginal(
  type: string,
  output: Float32Array,
  x: Float32Array,
  alphaBar: number,
): { original: Float32Array; epsilon: Float32Array } {
  const signal = f(Math.sqrt(alphaBar));
  const noise = f(Math.sqrt(f(1 - alphaBar)));
  const original = new Float32Array(x.length);
  const epsilon = new Float32Array(x.length);
  for (let i = 0; i < x.length; i++) {
    const [m, v] = [output[i]!, x[i]!];
    if (type === 'epsilon') {
      original[i] = f(v - f(noise * m)) / signal;
      epsilon[i] = m;
    } else if (type === 'v_prediction') {
      original[i] = f(signal * v) - f(noise * m);
      epsilon[i] = f(signal * m) + f(noise * v);
    } else {
      original[i] = m;
      epsilon[i] = f(v - f(signal * m)) / noise;
    }
  }
  return { original, epsilon };
}
