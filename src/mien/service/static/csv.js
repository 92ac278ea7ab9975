// The readings as a CSV file.

const MOST = 200_000; // rows

export class Readings {
  constructor(names) {
    this.names = names;
    this.rows = [];
    this.leftOut = 0;
  }

  // Adds a row for each face; returns the rows.
  add(source, seconds, faces) {
    const before = this.rows.length;
    for (const face of faces) {
      if (this.rows.length === MOST) this.leftOut += 1;
      else {
        this.rows.push([
          source, seconds === null ? "" : seconds.toFixed(3), face.track ?? "", ...face.box,
          face.score.toFixed(4), face.emotion, face.uncertain,
          ...this.names.map((name) => face.probabilities[name].toFixed(5)),
        ]);
      }
    }
    return this.rows.slice(before);
  }

  remove(rows) {
    this.rows = this.rows.filter((row) => !rows.includes(row));
  }

  text() {
    const head = ["source", "seconds", "track", "left", "top", "right", "bottom", "score",
      "emotion", "uncertain", ...this.names];
    return [head, ...this.rows].map((row) => row.map(cell).join(",")).join("\n") + "\n";
  }
}

// Returns a cell that no spreadsheet takes for a formula.
function cell(value) {
  let text = String(value);
  if (/^\s*[=+\-@]/.test(text) && Number.isNaN(Number(text))) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function save(readings) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([readings.text()], { type: "text/csv" }));
  link.download = "readings.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
