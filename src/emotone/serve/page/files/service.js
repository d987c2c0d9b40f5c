// The documented interface, as any client uses it.
const TRIES = 10; // while the server is busy

export class Refused extends Error {
  constructor({ code, message, hint }) {
    super(`${message}; ${hint}`);
    this.code = code;
  }
}

export async function models() {
  return read(await reached(fetch("v1/models")));
}

// Ask about a recording, with neutral answers of its speaker if they are known; comes again while the server is busy.
export async function ask(path, parameters, sound, neutral = null) {
  const request = neutral ? { body: form(sound, neutral) } : { body: sound, headers: { "Content-Type": "application/octet-stream" } };
  for (let tries = 1; ; tries++) {
    const answer = await reached(fetch(`v1/${path}?${new URLSearchParams(parameters)}`, { method: "POST", ...request }), sound);
    if (![429, 503].includes(answer.status) || tries === TRIES) return read(answer);
    await new Promise((resume) => setTimeout(resume, 1000 * (answer.headers.get("Retry-After") ?? 1)));
  }
}

function form(sound, neutral) {
  const made = new FormData();
  made.append("file", sound, "recording");
  made.append("neutral", JSON.stringify(neutral));
  return made;
}

export function stream(parameters) {
  const address = new URL("v1/stream", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  address.search = new URLSearchParams(parameters);
  return new WebSocket(address);
}

async function read(answer) {
  const said = await answer.json().catch(() => null);
  if (answer.ok) return said;
  throw new Refused(said?.error ?? { message: `the server refused it with status ${answer.status}`, hint: "try again" });
}

// A request without an answer: either its file cannot be read, or the server cannot be reached.
async function reached(request, sound = null) {
  try {
    return await request;
  } catch {
    try {
      await sound?.slice(0, 1).arrayBuffer();
    } catch {
      throw new Refused({ code: "unreadable", message: "this browser cannot read it", hint: "choose the file itself, again if it changed" });
    }
    throw new Refused({ code: "unreachable", message: "the server does not answer",
      hint: "check that it runs, and that the file is not larger than it accepts" });
  }
}
