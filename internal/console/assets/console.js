// What the pages do in the browser beyond forms and links. Every page works without it, but for passkeys and copying.
"use strict";

const on = (type, selector, act) => document.addEventListener(type, (event) => {
	const found = event.target instanceof Element && event.target.closest(selector);
	if (found) act(found, event);
});

// Dialogs: data-dialog names one of the page to open. A link with data-modal fetches what it leads to and shows it over
// this page; what cannot be shown so, such as a question who somebody is, is gone to. Focus comes back to the opener.
on("click", "[data-dialog]", (button, event) => {
	event.preventDefault();
	document.getElementById(button.dataset.dialog).showModal();
});
on("click", "[data-close]", (button, event) => {
	const dialog = button.closest("dialog");
	if (!dialog) return;
	event.preventDefault();
	dialog.close();
});
for (const dialog of document.querySelectorAll("dialog[data-open]")) dialog.showModal();
on("click", "a[data-modal]", async (link, event) => {
	if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return; // a tab or window of its own
	event.preventDefault();
	if (link.dataset.opening) return;
	link.dataset.opening = "1";
	try {
		const answer = await fetch(link.href, { headers: { "X-Fragment": "1" } });
		if (!answer.ok || answer.redirected) throw answer;
		overlay(link, await answer.text());
	} catch {
		location.assign(link.href);
	} finally {
		delete link.dataset.opening;
	}
});
function overlay(link, content) {
	const dialog = document.createElement("dialog");
	dialog.innerHTML = content; // our own server's escaped HTML; scripts in it do not run
	dialog.setAttribute("aria-label", dialog.querySelector("h1")?.textContent ?? link.textContent.trim());
	for (const form of dialog.querySelectorAll("form:not([action])")) form.action = link.href;
	dialog.addEventListener("close", () => {
		dialog.remove();
		link.focus();
	});
	document.body.append(dialog);
	dialog.showModal();
	dialog.querySelector("a[data-close]")?.focus(); // the choice that changes nothing
}

// The side menu on a narrow screen, and menus that close when something else is meant.
on("click", "[data-toggle]", (button) => {
	const open = document.getElementById(button.dataset.toggle).classList.toggle("open");
	button.setAttribute("aria-expanded", String(open));
});
document.addEventListener("click", (event) => {
	for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
	if (event.key !== "Escape") return;
	for (const menu of document.querySelectorAll("details.menu[open]")) {
		menu.open = false;
		menu.querySelector("summary").focus();
	}
});

// Copying: data-copy names the element whose text is taken.
on("click", "[data-copy]", async (button) => {
	const said = button.querySelector("[data-said]") || button;
	const before = said.textContent;
	try {
		await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
		said.textContent = "Copied";
	} catch {
		getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
		said.textContent = "Press Ctrl+C";
	}
	setTimeout(() => { said.textContent = before; }, 2000);
});

// Downloads: data-download names the element whose text becomes a file of the name in data-file.
on("click", "[data-download]", (button) => {
	const text = document.getElementById(button.dataset.download).textContent.trim() + "\n";
	const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(new Blob([text], { type: "text/plain" })), download: button.dataset.file });
	link.click();
	setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});

// Gates: a button with data-gate works once the box it names is ticked. A secret that nobody has saved holds the page.
const gates = () => {
	for (const button of document.querySelectorAll("[data-gate]")) button.disabled = !document.getElementById(button.dataset.gate).checked;
};
document.addEventListener("change", gates);
gates();
const unsaved = () => document.querySelector("[data-reveal]") && !document.getElementById(document.querySelector("[data-reveal]").dataset.reveal).checked;
addEventListener("beforeunload", (event) => { if (unsaved()) event.preventDefault(); });

// Live parts: while a form with data-live is being filled in, its fields are sent to that address, and the answer takes
// the place of what is inside the element named by data-live-into. The last answer asked for wins.
const pending = new WeakMap();
document.addEventListener("input", (event) => {
	const form = event.target.form;
	if (!form || !form.dataset.live) return;
	clearTimeout(pending.get(form)?.timer);
	const asked = { timer: setTimeout(() => refresh(form, asked), 250) };
	pending.set(form, asked);
});
async function refresh(form, asked) {
	const into = document.getElementById(form.dataset.liveInto);
	try {
		const answer = await fetch(form.dataset.live, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { "X-Fragment": "1" } });
		const text = await answer.text();
		if (pending.get(form) === asked && answer.ok) {
			into.innerHTML = text; // our own server's escaped HTML; scripts in it do not run
			into.dispatchEvent(new Event("refreshed", { bubbles: true }));
		}
	} catch { /* the page goes on without */ }
}
for (const form of document.querySelectorAll("form[data-live]")) {
	const asked = {};
	pending.set(form, asked);
	refresh(form, asked);
}
on("change", "[data-submit]", (field) => field.form.requestSubmit());
document.querySelector("form[data-send]")?.requestSubmit();

// Following a log: while the box with data-follow is ticked, the table that it names asks its data-new for the rows behind
// its cursor, and puts them on top. It rests while nobody looks, and ends after a while so that a session may end too.
for (const box of document.querySelectorAll("[data-follow]")) {
	const table = document.getElementById(box.dataset.follow);
	const said = document.querySelector("[data-followed]");
	let cursor = table.tBodies[0].dataset.cursor, until = 0, timer = 0, count = 0;
	const say = () => { said.textContent = count ? count + (count === 1 ? " new event" : " new events") : "Waiting for events"; };
	const look = async () => {
		if (!box.checked) return;
		if (Date.now() > until) {
			box.checked = false;
			said.textContent = "Stopped after half an hour. Tick to go on.";
			return;
		}
		try {
			if (!document.hidden) {
				const address = new URL(table.dataset.new, location);
				address.searchParams.set("cursor", cursor);
				const answer = await fetch(address, { headers: { "X-Fragment": "1" }, redirect: "error" });
				if (!answer.ok) throw new Error(answer.statusText);
				const part = document.createElement("table");
				part.innerHTML = await answer.text(); // our own server's escaped HTML; scripts in it do not run
				const rows = [...part.tBodies[0].rows];
				cursor = part.tBodies[0].dataset.cursor;
				count += rows.length;
				table.tBodies[0].prepend(...rows);
				if (rows.length) {
					table.hidden = false;
					table.closest(".card").querySelector(".empty")?.remove();
				}
				say();
			}
		} catch { said.textContent = "The service does not answer; trying again."; }
		timer = setTimeout(look, 3000);
	};
	box.addEventListener("change", () => {
		clearTimeout(timer);
		said.textContent = "";
		if (!box.checked) return;
		until = Date.now() + 30 * 60 * 1000;
		say();
		look();
	});
}

// The permission picker: search, whole groups, presets, and a count.
for (const picker of document.querySelectorAll("[data-picker]")) {
	const boxes = [...picker.querySelectorAll("input[type=checkbox][name]")];
	const usable = boxes.filter((box) => !box.disabled);
	const count = picker.querySelector("[data-picked]");
	const tell = () => {
		const n = boxes.filter((box) => box.checked).length;
		count.textContent = n + " of " + boxes.length + " selected";
	};
	const changed = () => {
		tell();
		if (boxes[0]) boxes[0].dispatchEvent(new Event("input", { bubbles: true }));
	};
	const set = (list, wanted) => {
		for (const box of list) box.checked = wanted(box);
		changed();
	};
	picker.addEventListener("click", (event) => {
		const button = event.target.closest("button[data-pick]");
		if (!button) return;
		const inGroup = button.dataset.group ? usable.filter((box) => box.closest("fieldset").dataset.group === button.dataset.group) : usable;
		const shown = inGroup.filter((box) => !box.closest("label").hidden);
		if (button.dataset.pick === "all") {
			const all = shown.every((box) => box.checked);
			set(shown, () => !all);
		} else if (button.dataset.pick === "none") set(usable, () => false);
		else if (button.dataset.pick === "read") set(usable, (box) => box.value.endsWith(":read"));
	});
	picker.querySelector("input[type=search]")?.addEventListener("input", (event) => {
		event.stopPropagation();
		const wanted = event.target.value.trim().toLowerCase();
		for (const label of picker.querySelectorAll("label.check")) label.hidden = !label.textContent.toLowerCase().includes(wanted);
		for (const group of picker.querySelectorAll("fieldset")) group.hidden = !group.querySelector("label.check:not([hidden])");
	});
	picker.addEventListener("change", tell);
	tell();
}

// The rules editor: line numbers beside the text, those coloured that a [data-line] with a data-tone names. Such a link
// goes to its line.
for (const area of document.querySelectorAll(".rules textarea")) {
	const numbers = area.parentElement.querySelector(".numbers");
	const text = numbers.appendChild(new Text());
	let lines = 0;
	const mark = () => {
		if (!window.Highlight) return;
		const at = [];
		for (let i = 1, from = 0; i <= lines; from += String(i++).length + 1) at[i] = new StaticRange({ startContainer: text, startOffset: from, endContainer: text, endOffset: from + String(i).length });
		for (const tone of ["bad", "warn"]) {
			const named = [...document.querySelectorAll(`[data-line][data-tone=${tone}]`)].map((link) => at[link.dataset.line]);
			CSS.highlights.set("line-" + tone, new Highlight(...named.filter(Boolean)));
		}
	};
	const follow = () => { numbers.scrollTop = area.scrollTop; };
	const count = () => {
		const n = area.value.split("\n").length;
		if (n === lines) return;
		lines = n;
		text.data = Array.from({ length: n }, (_, i) => i + 1).join("\n");
		mark();
		follow();
	};
	area.addEventListener("input", count);
	area.addEventListener("scroll", follow);
	document.addEventListener("refreshed", mark);
	on("click", "[data-line]", (link, event) => {
		event.preventDefault();
		const before = area.value.split("\n").slice(0, link.dataset.line - 1);
		const from = before.reduce((sum, line) => sum + line.length + 1, 0);
		const end = area.value.indexOf("\n", from);
		area.focus();
		area.setSelectionRange(from, end < 0 ? area.value.length : end);
		area.scrollTop = area.scrollHeight / lines * (link.dataset.line - 4);
	});
	count();
}

// A fault was true of what was sent: once its field is changed it is not shown any more. Its place stays, so nothing moves.
on("input", "[aria-invalid]", (field) => {
	const fault = document.getElementById("e-" + field.name);
	if (fault) fault.dataset.past = "1";
	field.removeAttribute("aria-invalid");
	const described = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id !== "e-" + field.name);
	field.setAttribute("aria-describedby", described.join(" "));
});

// A passkey belongs to the name in data-at: opened at another one, such as 127.0.0.1, the page says so.
for (const form of document.querySelectorAll("form[data-at]")) {
	const home = new URL(form.dataset.at);
	if (location.hostname === home.hostname) continue;
	form.querySelector("button").disabled = true;
	const why = form.querySelector("[data-fault]");
	const link = Object.assign(document.createElement("a"), { href: new URL(location.pathname, home), textContent: home.origin });
	why.replaceChildren("Passkeys do not work at " + location.host + ". Open ", link, ".");
	why.hidden = false;
}

// Passkeys: a form with data-passkey fetches the options there, asks the browser, and sends itself with the answer.
on("submit", "form[data-passkey]", async (form, event) => {
	if (form.dataset.ready) return;
	event.preventDefault();
	const fault = form.querySelector("[data-fault]");
	try {
		const options = await (await fetch(form.dataset.passkey, { method: "POST" })).json();
		const creating = form.dataset.kind === "create";
		const key = options.options.publicKey;
		const credential = creating
			? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(key) })
			: await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(key) });
		form.elements.ticket.value = options.ticket;
		form.elements.answer.value = JSON.stringify(credential.toJSON());
		form.dataset.ready = "1";
		form.requestSubmit();
	} catch (problem) {
		fault.textContent = problem.name === "NotAllowedError" ? "Nothing was confirmed. Try again when you are ready." : "This browser could not use a passkey here: " + problem.message;
		fault.hidden = false;
	}
});
