// The microphone: its samples as they come, and as a WAV file.
const RATE = 16000; // of the network, so that more would only be sent

// Open the microphone; `take` gets its samples, about 20 times a second.
export async function open(take) {
  let media, context;
  const close = () => {
    media?.getTracks().forEach((track) => track.stop());
    context?.close();
  };
  try {
    if (!navigator.mediaDevices) throw new Error("this browser gives it to pages over HTTPS or from this computer only");
    media = await navigator.mediaDevices.getUserMedia({ audio: true }).catch((error) => {
      throw new Error(error.name === "NotFoundError" ? "there is none; connect one" : "allow it for this page in the browser");
    });
    context = new AudioContext();
    await context.audioWorklet.addModule("page/recorder.js");
    const recorder = new AudioWorkletNode(context, "emotone-recorder");
    recorder.port.onmessage = ({ data }) => take(data);
    context.createMediaStreamSource(media).connect(recorder);
    return { rate: context.sampleRate, close };
  } catch (error) {
    close();
    throw new Error(`The microphone cannot be used: ${error.message}.`);
  }
}

// Make a WAV file of 16 kHz and 16 bits.
export async function wav(pieces, rate) {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const buffer = new AudioBuffer({ length, sampleRate: rate });
  let at = 0;
  for (const piece of pieces) {
    buffer.copyToChannel(piece, 0, at);
    at += piece.length;
  }
  const context = new OfflineAudioContext(1, Math.ceil(length * RATE / rate), RATE);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(context.destination);
  source.start();
  const samples = (await context.startRendering()).getChannelData(0);
  const body = Int16Array.from(samples, (sample) => Math.max(-1, Math.min(1, sample)) * 32767);
  return new Blob([header(body.byteLength), body], { type: "audio/wav" });
}

function header(size) {
  const view = new DataView(new ArrayBuffer(44));
  const text = (at, word) => [...word].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF"); text(8, "WAVEfmt "); text(36, "data");
  for (const [at, value] of [[4, 36 + size], [16, 16], [24, RATE], [28, 2 * RATE], [40, size]]) view.setUint32(at, value, true);
  for (const [at, value] of [[20, 1], [22, 1], [32, 2], [34, 16]]) view.setUint16(at, value, true);
  return view.buffer;
}
