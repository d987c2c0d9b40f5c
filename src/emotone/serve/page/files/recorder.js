// Gathers the samples of the microphone into messages of 2048.
registerProcessor("emotone-recorder", class extends AudioWorkletProcessor {
  constructor() { super(); this.kept = new Float32Array(2048); this.count = 0; }
  process([input]) {
    for (const sample of input[0] ?? []) {
      this.kept[this.count++] = sample;
      if (this.count === this.kept.length) { this.port.postMessage(this.kept.slice()); this.count = 0; }
    }
    return true;
  }
});
