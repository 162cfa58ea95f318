#!/usr/bin/env python3
"""Splunk modular input: an organization's activity log, each event once.

Splunk runs it every `interval` seconds; it reads what is new and ends. Where to go on is kept in the folder that Splunk
names, and moved only after the events were written: a run that is killed sends the events of its last page again, and
never leaves one out. Searches that must count exactly use `| dedup id`.

It keeps to Python's standard library, 3.7 or later.
"""

import calendar
import hashlib
import http.client
import json
import os
import re
import signal
import ssl
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

SCHEME = """<scheme>
<title>Counterfoil activity log</title>
<description>Reads an organization's activity log from Counterfoil, each event once.</description>
<use_external_validation>true</use_external_validation>
<streaming_mode>xml</streaming_mode>
<use_single_instance>false</use_single_instance>
<endpoint><args>
<arg name="url"><title>URL</title><description>Where Counterfoil is reached, such as https://tokens.example.com</description><required_on_create>true</required_on_create></arg>
<arg name="token"><title>Token</title><description>Made in Counterfoil under Integrations, Splunk. Leave it empty to keep it in Splunk's credential storage instead.</description><required_on_create>false</required_on_create></arg>
<arg name="ca_file"><title>CA file</title><description>PEM file of the authorities to trust, where the system's do not do.</description><required_on_create>false</required_on_create></arg>
<arg name="proxy"><title>Proxy</title><description>http://[user:password@]host:port</description><required_on_create>false</required_on_create></arg>
<arg name="limit"><title>Events at a time</title><description>1 to 1000; default 1000.</description><required_on_create>false</required_on_create></arg>
</args></endpoint>
</scheme>
"""

APP = "TA-counterfoil"
KIND = "counterfoil_activity://"
SOURCETYPE = "counterfoil:activity"
TIMEOUT = 60  # seconds, of one request
ATTEMPTS = 6  # of one page, before this run gives up and the next one goes on
LONGEST_WAIT = 300  # seconds, whatever Retry-After says

stopping = False


class Problem(Exception):
    """What is wrong, in words for a Splunk administrator."""


class Busy(Problem):
    """A problem that may pass: try again after `wait` seconds, or None for as long as the caller thinks right."""

    def __init__(self, words, wait=None):
        super().__init__(words)
        self.wait = wait


def log(level, words):
    """Splunk takes a line of stderr that begins with a level into its own log (splunkd.log, index _internal)."""
    print("%s %s" % (level, " ".join(str(words).split())), file=sys.stderr, flush=True)


class Input:
    """One configured input: its name and its settings, checked."""

    def __init__(self, name, settings, splunkd, session_key):
        self.name = name
        self.stanza = KIND + name
        self.splunkd, self.session_key = splunkd, session_key
        self.url = settings.get("url", "").strip().rstrip("/")
        if self.url.endswith("/activities/query"):
            self.url = self.url[: -len("/activities/query")]
        try:
            parts = urllib.parse.urlsplit(self.url)
            parts.port  # raises where it is no number
        except ValueError as e:
            raise Problem("url: give the address of Counterfoil, such as https://tokens.example.com: %s" % e)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if not parts.hostname or parts.scheme not in ("https", "http") or parts.query or parts.username:
            raise Problem("url: give the address of Counterfoil, such as https://tokens.example.com")
        if parts.scheme == "http" and not local:
            raise Problem("url: begin it with https://, since the token would cross the network in the clear")
        self.host = parts.hostname
        self.token = settings.get("token", "").strip()
        self.proxy = settings.get("proxy", "").strip()
        if self.proxy and not re.match(r"https?://[^/]+/?$", self.proxy):
            raise Problem("proxy: give http://host:port or http://user:password@host:port")
        self.ca_file = settings.get("ca_file", "").strip()
        limit = settings.get("limit", "").strip() or "1000"
        if not re.match(r"[0-9]{1,9}$", limit) or not 1 <= int(limit) <= 1000:
            raise Problem("limit: give a whole number from 1 to 1000")
        self.limit = int(limit)

    def opener(self):
        """An opener that checks the certificate and follows no redirect, since that would carry the token elsewhere."""
        try:
            trust = ssl.create_default_context(cafile=self.ca_file or None)
        except (OSError, ssl.SSLError) as e:
            raise Problem("ca_file: %s cannot be read as PEM: %s" % (self.ca_file, e))
        proxies = {"http": self.proxy, "https": self.proxy} if self.proxy else None
        return urllib.request.build_opener(
            urllib.request.ProxyHandler(proxies), urllib.request.HTTPSHandler(context=trust), NoRedirect())

    def credential(self):
        """The token: from the input, or else from Splunk's credential storage."""
        token = (self.token or stored_token(self)).strip()
        if not re.match(r"[!-~]+$", token):  # else what cannot be sent would be told, in Splunk's log
            raise Problem("token: it holds a space, a line break or another character that no token has; copy it once more")
        return token


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args, **kwargs):
        return None


def stored_token(config):
    if not config.splunkd or not config.session_key:
        raise Problem("token: there is none, and Splunk has given no session to read its credential storage with")
    address = "%s/servicesNS/nobody/%s/storage/passwords/%s?output_mode=json" % (
        config.splunkd.rstrip("/"), APP, urllib.parse.quote("counterfoil:%s:" % config.name, safe=""))
    request = urllib.request.Request(address, headers={"Authorization": "Splunk " + config.session_key})
    # splunkd on this machine, with the certificate that Splunk made for itself
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), NoRedirect())
    try:
        with opener.open(request, timeout=TIMEOUT) as answer:
            return json.load(answer)["entry"][0]["content"]["clear_password"]
    except urllib.error.HTTPError as e:
        if e.code == 404:
            raise Problem("token: it is neither in the input nor in Splunk's credential storage (app %s, realm counterfoil, user name %s)" % (APP, config.name))
        raise Problem("token: Splunk's credential storage answered %d" % e.code)
    except (OSError, ValueError, LookupError) as e:
        raise Problem("token: Splunk's credential storage could not be read: %s" % e)


def fetch(config, opener, token, after, limit):
    """One page as text."""
    query = urllib.parse.urlencode([("limit", limit)] + ([("after", after)] if after else []))
    request = urllib.request.Request("%s/v1/integrations/splunk/events?%s" % (config.url, query), headers={
        "Authorization": "Bearer " + token, "Accept": "application/json", "User-Agent": "TA-counterfoil/0.1.0"})
    try:
        with opener.open(request, timeout=TIMEOUT) as answer:
            return answer.read().decode("utf-8")
    except urllib.error.HTTPError as e:
        with e:
            raise refusal(config, e)
    except ssl.SSLCertVerificationError as e:
        raise Problem(certificate(config, e))
    except urllib.error.URLError as e:
        if isinstance(e.reason, ssl.SSLCertVerificationError):
            raise Problem(certificate(config, e.reason))
        raise Busy("%s cannot be reached%s: %s" % (config.url, " through the proxy" if config.proxy else "", e.reason))
    except (OSError, ValueError, http.client.HTTPException) as e:
        raise Busy("the answer of %s broke off: %r" % (config.url, e))


def certificate(config, e):
    return "the certificate of %s is not trusted: %s. Set ca_file where a private authority has issued it" % (config.host, e)


def refusal(config, e):
    """What an answer that is no success says, in words."""
    try:
        told = json.loads(e.read(64 * 1024).decode("utf-8"))
        code, detail = str(told["code"]), str(told["detail"])
    except (OSError, ValueError, LookupError, TypeError):
        code, detail = "", ""
    if e.code in (429, 503) or e.code >= 500:
        wait = (e.headers.get("Retry-After") or "").strip()
        return Busy("%s answered %d: %s" % (config.url, e.code, detail or e.reason), int(wait) if wait.isdigit() else None)
    if e.code == 421:
        return Problem("this token belongs to another data centre. Change url in the input %s: %s" % (config.name, detail))
    if 300 <= e.code < 400:
        return Problem("%s sends elsewhere, to %s, which is not followed: the token would go there too. Set url to the service itself"
                       % (config.url, e.headers.get("Location")))
    if not code:
        return Problem("%s answered %d and not as Counterfoil does: look at url, and at what stands in between" % (config.url, e.code))
    if code == "cursor_expired":
        return Problem("the organization's retention has removed events that this input had not read (%d %s). To go on with what is left, "
                       "remove its file counterfoil-*.json in Splunk's checkpoint folder" % (e.code, code))
    words = {"wrong_audience": "this token is not one for Splunk; make one under Integrations, Splunk",
             "invalid_token": "the service does not know this token",
             "ip_not_allowed": "the service refuses this machine's address"}.get(code, "the service refuses")
    return Problem("%s (%d %s): %s" % (words, e.code, code, detail))


def patiently(config, opener, token, after):
    """A page, waiting as long as a busy service asks for."""
    for attempt in range(ATTEMPTS):
        try:
            return read_page(fetch(config, opener, token, after, config.limit))
        except Busy as e:
            wait = min(2 ** attempt if e.wait is None else e.wait, LONGEST_WAIT)
            if attempt + 1 == ATTEMPTS or stopping:
                raise
            log("WARN", "%s: %s. Trying again in %d s" % (config.stanza, e, wait))
            pause(wait)


def pause(seconds):
    end = time.monotonic() + seconds
    while not stopping and time.monotonic() < end:
        time.sleep(min(0.2, max(0, end - time.monotonic())))


def read_page(text):
    """(events, cursor, more): each event as (id, seconds, microseconds, its own text)."""
    try:
        page = json.loads(text)
        cursor, more, listed = page["next_cursor"], page["more"], page["data"]
        if not isinstance(cursor, str) or not isinstance(more, bool):
            raise ValueError("no cursor")
        raw = texts(text, len(listed))
        return [event(e, raw[i]) for i, e in enumerate(listed)], cursor, more
    except (ValueError, LookupError, TypeError) as e:
        raise Busy("the answer is not a page of the activity log: %s" % e)


def texts(text, count):
    """The elements of "data", each as the service has written it: numbers keep their digits."""
    at = re.compile(r'"data"\s*:\s*\[\s*').search(text).end()
    decoder, out = json.JSONDecoder(), []
    for _ in range(count):
        _, end = decoder.raw_decode(text, at)
        out.append(text[at:end])
        at = re.compile(r"\s*,?\s*").match(text, end).end()
    return out


def event(e, raw):
    whole, _, fraction = e["timestamp"][:-1].partition(".")
    micro = (fraction + "000000")[:6]
    seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
    # the first place where this stands is the event's own time: it comes before whatever a member or the product wrote
    raw = raw.replace('"timestamp":"%s"' % e["timestamp"], '"timestamp":"%s.%sZ"' % (whole, micro), 1)
    return e["id"], seconds, micro, raw


UNWRITABLE = re.compile("[\ufffe\uffff]")  # in XML


def write(config, events):
    """Writes events for Splunk and returns once they are out of this process."""
    out = []
    for _, seconds, micro, raw in events:
        raw = UNWRITABLE.sub(lambda m: "\\u%04x" % ord(m.group()), raw)
        out.append("<event stanza=%s><time>%d.%s</time><source>%s</source><sourcetype>%s</sourcetype><host>%s</host><data>%s</data></event>\n" % (
            quoteattr(config.stanza), seconds, micro, escape(config.stanza), SOURCETYPE, escape(config.host), escape(raw)))
    sys.stdout.buffer.write("".join(out).encode("utf-8"))
    sys.stdout.buffer.flush()


class Checkpoint:
    """The cursor behind the last event that was written, one file for each input and address."""

    def __init__(self, folder, config):
        if not folder:
            raise Problem("Splunk has named no checkpoint folder")
        self.folder = folder
        name = hashlib.sha256(("%s\n%s" % (config.stanza, config.url)).encode("utf-8")).hexdigest()[:32]
        self.file = os.path.join(folder, "counterfoil-%s.json" % name)

    def load(self):
        try:
            with open(self.file, encoding="utf-8") as f:
                after = json.load(f)["after"]
        except FileNotFoundError:
            return ""
        except (OSError, ValueError, LookupError, TypeError) as e:
            after = e
        if not isinstance(after, str) or not after:
            raise Problem("the checkpoint %s cannot be read: %s. Remove it to read the whole log again" % (self.file, after))
        return after

    def save(self, after, last_id):
        handle, temporary = tempfile.mkstemp(prefix="counterfoil-", suffix=".tmp", dir=self.folder)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as f:
                json.dump({"after": after, "last_event": last_id}, f)
                f.flush()
                os.fsync(f.fileno())
            os.replace(temporary, self.file)
        except BaseException:
            if os.path.exists(temporary):
                os.unlink(temporary)
            raise
        if hasattr(os, "O_DIRECTORY"):
            folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def stream(config, folder):
    """Writes what is new. A page goes to Splunk first and into the checkpoint after that."""
    checkpoint = Checkpoint(folder, config)
    after, token, opener = checkpoint.load(), config.credential(), config.opener()
    more = True
    while more and not stopping:
        events, cursor, more = patiently(config, opener, token, after)
        if events:
            write(config, events)
        if cursor != after:
            checkpoint.save(cursor, events[-1][0] if events else "")
        elif more:
            raise Problem("the service says that there is more and does not go on")
        after = cursor


def settings(element):
    return {p.get("name"): p.text or "" for p in element.iter("param")}


def run():
    """What Splunk runs: reads the configuration from stdin."""
    root = ET.parse(sys.stdin.buffer).getroot()
    text = lambda name: root.findtext(name) or ""
    failed = False
    sys.stdout.buffer.write(b"<stream>\n")
    for stanza in root.iter("stanza"):
        name = stanza.get("name", "")
        name = name[len(KIND):] if name.startswith(KIND) else name
        try:
            stream(Input(name, settings(stanza), text("server_uri"), text("session_key")), text("checkpoint_dir"))
        except Problem as e:
            log("ERROR", "%s%s: %s" % (KIND, name, e))
            failed = True
    sys.stdout.buffer.write(b"</stream>\n")
    sys.stdout.buffer.flush()
    return 1 if failed else 0


def validate():
    """What Splunk runs before it saves an input: says what is wrong with it, having asked the service."""
    root = ET.parse(sys.stdin.buffer).getroot()
    item = root.find("item")
    try:
        config = Input(item.get("name", ""), settings(item), root.findtext("server_uri"), root.findtext("session_key"))
        read_page(fetch(config, config.opener(), config.credential(), "", 1))
    except Problem as e:
        print("<error><message>%s</message></error>" % escape(str(e)))
        return 1
    return 0


def stop(*_):
    """Ends the run behind the page that is being written."""
    global stopping
    stopping = True


def main(args):
    if args == ["--scheme"]:
        print(SCHEME)
        return 0
    try:
        if args == ["--validate-arguments"]:
            return validate()
        if args:
            print("usage: counterfoil_activity.py [--scheme | --validate-arguments]", file=sys.stderr)
            return 2
        signal.signal(signal.SIGTERM, stop)
        return run()
    except ET.ParseError as e:
        log("FATAL", "the configuration on stdin is not XML: %s" % e)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python's own flush at the end is quiet
        log("WARN", "Splunk has closed the stream; the next run goes on behind the last page that it took")
    except OSError as e:
        log("ERROR", "the checkpoint could not be written: %s" % e)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
