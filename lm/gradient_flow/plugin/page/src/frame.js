// An answer of the server: u32 length of the header, header (JSON), bytes.

export function parseFrame(buffer) {
  const size = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
  return { header, body: buffer.slice(4 + size) };
}
