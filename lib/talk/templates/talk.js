"use strict";

// Asks the server for speech and plays it.

function findPart(side, name) {
  return document.querySelector(`#side-${side} ${name}`);
}

async function ask(address, options) {
  const response = await fetch(address, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

function tell(side, message) {
  const told = findPart(side, ".told");
  told.textContent = message;
  told.hidden = !message;
}

async function listSpeakers(side) {
  const name = findPart(side, ".voice").value;
  const select = findPart(side, ".speaker");
  const chosen = select.value;
  select.replaceChildren(new Option("is being loaded", ""));
  try {
    const {speakers} = await ask(`/voice?name=${encodeURIComponent(name)}`);
    const options = Object.entries(speakers).map(([id, title]) => {
      const option = document.createElement("option");
      option.value = id;
      option.textContent = id === title ? id : `${title} (${id})`;
      return option;
    });
    select.replaceChildren(...options);
    if (chosen in speakers) select.value = chosen;
    tell(side, "");
  } catch (error) {
    select.replaceChildren();
    tell(side, error.message);
  }
}

async function speak(side) {
  const button = findPart(side, ".speak");
  const [audio, save] = [findPart(side, "audio"), findPart(side, ".save")];
  const wanted = {
    voice: findPart(side, ".voice").value,
    speaker: findPart(side, ".speaker").value,
    speed: Number(findPart(side, ".speed").value),
    text: document.getElementById("text").value,
  };
  button.disabled = true;
  audio.hidden = save.hidden = true;
  tell(side, "");
  try {
    const headers = {"Content-Type": "application/json"};
    const body = JSON.stringify(wanted);
    const answer = await ask("/speak", {method: "POST", headers, body});
    audio.src = save.href = `data:audio/wav;base64,${answer.audio}`;
    save.download = `${wanted.speaker}.wav`;
    audio.hidden = save.hidden = false;
    if (answer.unknown.length) {
      tell(side, `The voice does not know ${answer.unknown.join(", ")} and leaves it out.`);
    }
    return audio;
  } catch (error) {
    tell(side, error.message);
    return null;
  } finally {
    button.disabled = false;
  }
}

function play(audio) {
  return new Promise((resolve) => {
    if (!audio) return resolve();
    audio.onended = audio.onerror = resolve;
    return audio.play().catch(resolve);
  });
}

for (const side of ["A", "B"]) {
  findPart(side, ".voice").addEventListener("change", () => listSpeakers(side));
  findPart(side, ".speed").addEventListener("input", (event) => {
    findPart(side, "output").textContent = Number(event.target.value).toFixed(2);
  });
  findPart(side, ".speak").addEventListener("click", async () => play(await speak(side)));
  listSpeakers(side);
}

document.getElementById("compare").addEventListener("click", async () => {
  const spoken = [await speak("A"), await speak("B")];
  for (const audio of spoken) await play(audio);
});
