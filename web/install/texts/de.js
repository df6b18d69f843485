/** Die Texte des Assistenten auf Deutsch. */

/** @type {Record<string, string>} */
export const texts = {
  "form.optional": "(freiwillig)",
  "form.choose": "Auswählen …",
  "form.none": "Nichts",
  "form.yes": "Ja",
  "form.no": "Nein",
  "form.add": "Hinzufügen",
  "form.remove": "{name} entfernen",
  "form.item": "{name}, Eintrag {number}",
  "form.option": "Möglichkeit {number}",
  "form.kind": "Art",
  "form.example": "Zum Beispiel: {example}",
  "form.json": "Geben Sie JSON ein.",
  "form.locked": "Von der App festgelegt, aus der Sie kommen.",
  "form.show": "{name} anzeigen",
  "form.hide": "{name} verbergen",
  "form.kept": "Gespeichert. Lassen Sie das Feld leer, um den Wert zu behalten.",
  "form.error.required": "Geben Sie einen Wert ein.",
  "form.error.choose": "Wählen Sie einen der Werte.",
  "form.error.integer": "Geben Sie eine ganze Zahl ein.",
  "form.error.number": "Geben Sie eine Zahl ein.",
  "form.error.minimum": "Geben Sie mindestens {limit} ein.",
  "form.error.maximum": "Geben Sie höchstens {limit} ein.",
  "form.error.above": "Geben Sie mehr als {limit} ein.",
  "form.error.below": "Geben Sie weniger als {limit} ein.",
  "form.error.minLength": "Geben Sie mindestens {limit} Zeichen ein.",
  "form.error.maxLength": "Geben Sie höchstens {limit} Zeichen ein.",
  "form.error.minItems": "Geben Sie mindestens {limit} ein.",
  "form.error.maxItems": "Geben Sie höchstens {limit} ein.",
  "form.error.unique": "Jeder Wert darf nur einmal vorkommen.",
  "form.error.email": "Geben Sie eine E-Mail-Adresse ein, etwa ada@example.com.",
  "form.error.uri": "Geben Sie eine vollständige Adresse ein, etwa https://example.com.",
  "form.error.hostname": "Geben Sie nur den Hostnamen ein, etwa db.example.com.",
  "form.error.date": "Geben Sie ein Datum ein.",
  "form.error.json": "Das ist kein gültiges JSON.",
  "form.error.object": "Geben Sie ein JSON-Objekt ein: {…}.",
  "form.error.array": "Geben Sie eine JSON-Liste ein: […].",

  "title.install": "{name} verbinden",
  "title.repair": "{name} reparieren",
  "title.loading": "Wird geladen",
  "about.publisher": "von {publisher}",
  "about.for": "Für {organization}",
  "about.forPerson": "Für {organization} · {person}",
  "about.abilities": "Was damit möglich wird",
  "about.reads": "Mit dem Konto, das Sie verbinden, bei {name} lesen",
  "about.scopes": "Worum {name} gebeten wird",
  "about.more": "{count} weitere",
  "about.monitor": "Die Verbindung alle {interval} testen",
  "about.safe": "Ihre Eingaben werden verschlüsselt gespeichert und nicht wieder angezeigt.",
  "about.until": "Diese Seite ist bis {time} gültig.",
  "capability.metadata_sync": "Lesen, welche Daten es gibt und wie sie aufgebaut sind",
  "capability.quality_check": "Die Qualität der Daten prüfen",
  "capability.profiling": "Kennzahlen der Daten berechnen",
  "capability.webhook": "Ereignisse empfangen",
  "capability.alert": "Warnungen senden",
  "tier.first_party": "Von uns",
  "tier.vendor_official": "Vom Anbieter",
  "tier.verified_partner": "Geprüfter Partner",
  "tier.verified_publisher": "Geprüfter Herausgeber",
  "tier.community": "Aus der Community",

  steps: "Schritte",
  "steps.details": "Eingeben",
  "steps.check": "Testen",
  "steps.done": "Fertig",
  "steps.at": "Schritt {number} von 3: {name}",

  "section.values": "Einstellungen von {name}",
  "section.secrets": "Zugangsdaten",
  "section.account": "Konto",
  "section.more": "Name und Optionen",
  name: "Name der Verbindung",
  nothing: "Hier ist nichts einzugeben. Testen Sie die Verbindung, um fortzufahren.",

  "secret.api_key": "API-Schlüssel",
  "secret.token": "Token",
  "secret.access_token": "Zugriffstoken",
  "secret.refresh_token": "Aktualisierungstoken",
  "secret.username": "Benutzername",
  "secret.password": "Passwort",
  "secret.client_id": "Client-ID",
  "secret.client_secret": "Client-Geheimnis",

  "account.why": "Sie melden sich bei {name} an und wählen, was Sie erlauben. Ihr Passwort bleibt dort.",
  "account.connect": "Bei {name} anmelden",
  "account.window": "In einem neuen Fenster anmelden",
  "account.again": "Ein anderes Konto verbinden",
  "account.connected": "Ihr Konto ist verbunden.",
  "account.kept": "Ein Konto ist verbunden. Es bleibt, solange Sie kein anderes verbinden.",
  "account.waiting": "Machen Sie in dem Fenster weiter, das sich geöffnet hat.",
  "account.waitingMore":
    "Sie sehen es nicht? Erlauben Sie Ihrem Browser Fenster dieser Seite und beginnen Sie noch einmal.",
  "account.begin": "Noch einmal beginnen",
  "account.blocked":
    "Ihr Browser hat das Fenster nicht geöffnet. Erlauben Sie Fenster dieser Seite und versuchen Sie es noch einmal.",
  "account.missing": "Sie haben nicht alles erlaubt. Ohne das Folgende wird manches nicht gehen:",
  "account.choices": "Welcher Teil des Kontos?",
  "account.choose": "Wählen Sie einen aus.",
  "account.first": "Melden Sie sich zuerst an.",
  "account.other":
    "Melden Sie sich noch einmal an: Sie haben einen Wert geändert, von dem das Konto abhängt.",
  "account.leaving": "Sie werden zu {name} weitergeleitet …",
  "account.notStarted": "Die Anmeldung ist gerade nicht möglich",
  "account.close": "Fenster schließen",

  "submit.install": "Testen und verbinden",
  "submit.repair": "Testen und speichern",
  "submit.again": "Noch einmal versuchen",
  "submit.anyway": "Trotzdem verbinden",
  "submit.anywayRepair": "Trotzdem speichern",
  "submit.cancel": "Abbrechen",
  "anyway.title": "Ohne bestandenen Test verbinden?",
  "anyway.titleRepair": "Ohne bestandenen Test speichern?",
  "anyway.text":
    "Die Verbindung wird so gespeichert, wie Sie sie eingegeben haben. Sie funktioniert erst, wenn behoben ist, was der Test gefunden hat.",
  "anyway.back": "Zurück",

  "test.running": "Test läuft",
  "test.runningNow": "Die Verbindung wird getestet.",
  "test.passed": "Der Test ist bestanden. Die Verbindung wird gespeichert …",
  "test.failed": "Der Test ist fehlgeschlagen",
  "test.passedWord": "bestanden",
  "test.warningWord": "Warnung",
  "test.failedWord": "fehlgeschlagen",
  "test.skippedWord": "übersprungen",
  "test.learnMore": "Mehr dazu",

  "step.config": "Ihre Einstellungen sind vollständig",
  "step.secrets": "Ihre Zugangsdaten sind vollständig",
  "step.egress": "Die Adresse darf aufgerufen werden",
  "step.dns": "Der Host ist gefunden",
  "step.tcp": "Der Host antwortet",
  "step.tls": "Die Verbindung ist verschlüsselt",
  "step.grant": "Das Konto erlaubt, was gebraucht wird",

  "errors.title": "Berichtigen Sie, was markiert ist",
  "errors.reenter": "Geben Sie den Wert neu ein: Sie haben geändert, wohin er gesendet wird.",
  "errors.trace": "Trace-ID",
  "errors.titleRequest": "Das hat nicht geklappt",

  "repair.title": "Was der letzte Test gefunden hat",
  "repair.never": "Geben Sie ein, was sich geändert hat, und testen Sie es.",
  "repair.works": "Der letzte Test ist bestanden. Geben Sie ein, was Sie ändern möchten.",
  "repair.others": "{count} weitere Verbindungen verwenden dieselben Daten. Sie ändern sich mit.",
  "repair.other": "Eine weitere Verbindung verwendet dieselben Daten. Sie ändert sich mit.",

  "done.install": "{name} ist verbunden",
  "done.repair": "{name} ist repariert",
  "done.repairFailed": "Ihre Änderungen sind gespeichert, aber der Test schlägt fehl",
  "done.failed": "{name} ist gespeichert, aber der Test schlägt fehl",
  "done.account": "Konto",
  "done.connection": "Verbindung",
  "done.monitor": "Getestet",
  "done.every": "alle {interval}",
  "done.back": "Zurück zu {host}",
  "done.close": "Fertig",
  "done.closeWindow": "Sie können dieses Fenster schließen.",

  "ended.title.incomplete": "Dieser Link ist nicht vollständig",
  "ended.incomplete":
    "Öffnen Sie den Link genau so, wie Sie ihn bekommen haben. Ist er abgeschnitten, bitten Sie um einen neuen.",
  "ended.title.unknown": "Dieser Link funktioniert nicht",
  "ended.unknown":
    "Prüfen Sie, ob Sie den ganzen Link geöffnet haben. Sonst gehen Sie zurück zu der App, aus der Sie kommen, und beginnen Sie dort neu.",
  "ended.title.expired": "Dieser Link ist abgelaufen",
  "ended.expired":
    "Gehen Sie zurück zu der App, aus der Sie kommen, und beginnen Sie dort neu. Sie bekommen einen neuen Link.",
  "ended.title.revoked": "Dieser Link wurde zurückgezogen",
  "ended.revoked": "Gehen Sie zurück zu der App, aus der Sie kommen, und beginnen Sie dort neu.",
  "ended.title.completed": "Dieser Link wurde schon benutzt",
  "ended.completed":
    "Wozu er da war, ist erledigt. Um etwas anderes zu verbinden, gehen Sie zurück zu der App, aus der Sie kommen.",
  "ended.title.impossible": "Das lässt sich nicht mehr verbinden",
  "ended.impossible":
    "Seit der Link erstellt wurde, hat sich etwas geändert. Gehen Sie zurück zu der App, aus der Sie kommen, und beginnen Sie dort neu.",
  "ended.title.failed": "Diese Seite kann gerade nicht angezeigt werden",
  again: "Noch einmal versuchen",

  "code.UNREACHABLE":
    "Der Server ist nicht erreichbar. Prüfen Sie Ihre Verbindung und versuchen Sie es noch einmal.",
  "code.UNREADABLE":
    "Die Antwort des Servers ist nicht lesbar. Versuchen Sie es in einer Minute noch einmal.",
  "code.RATE_LIMITED": "Zu viele Versuche. Versuchen Sie es in einer Minute noch einmal.",
  "code.QUOTA_EXCEEDED":
    "Mehr Versuche sind nicht möglich. Gehen Sie zurück zu der App, aus der Sie kommen, und beginnen Sie dort neu.",
  "code.INTERNAL_ERROR": "Bei uns ist etwas schiefgegangen. Versuchen Sie es in einer Minute noch einmal.",

  "outcome.denied": "Sie haben den Zugriff nicht erlaubt. Es wurde nichts verbunden.",
  "outcome.sign-in-required": "Beim Anbieter müssen Sie sich zuerst anmelden oder zustimmen.",
  "outcome.scope-refused":
    "Der Anbieter gewährt nicht, worum gebeten wurde. Sagen Sie es denen, die Sie hierher geschickt haben.",
  "outcome.application-refused":
    "Der Anbieter akzeptiert diese Anwendung nicht. Sagen Sie es denen, die Sie hierher geschickt haben.",
  "outcome.application-unusable":
    "Das lässt sich gerade nicht verbinden. Sagen Sie es denen, die Sie hierher geschickt haben.",
  "outcome.provider-failed":
    "Der Anbieter konnte es nicht abschließen. Es wurde nichts verbunden. Versuchen Sie es gleich noch einmal.",
  "outcome.exchange-failed":
    "Sie haben den Zugriff erlaubt, aber der Anbieter hat ihn nicht übergeben. Es wurde nichts verbunden.",
  "outcome.wrong-issuer":
    "Die Antwort kam von einem anderen Anbieter. Zu Ihrer Sicherheit wurde sie nicht verwendet.",
  "outcome.answer-refused":
    "Die Antwort des Anbieters ist nicht verwendbar. Zu Ihrer Sicherheit wurde sie nicht verwendet.",
  "outcome.interrupted": "Das wurde schon begonnen und ist noch nicht fertig. Warten Sie einen Augenblick.",
  "outcome.unavailable": "Das konnte gerade nicht abgeschlossen werden. Versuchen Sie es gleich noch einmal.",
  "outcome.expired": "Das hat zu lange gedauert. Es wurde nichts verbunden.",

  "interval.m": "{count} Min.",
  "interval.h": "{count} Std.",
};

/** @type {Record<string, [string, string]>} */
export const codes = {
  config_invalid: ["Eine Einstellung ist nicht brauchbar", "Berichtigen Sie sie und testen Sie noch einmal."],
  config_missing_field: ["Eine Einstellung fehlt", "Füllen Sie das Feld aus und testen Sie noch einmal."],
  secret_not_found: ["Zugangsdaten fehlen", "Geben Sie sie ein und testen Sie noch einmal."],
  auth_invalid: [
    "Die Zugangsdaten wurden nicht akzeptiert",
    "Erstellen Sie beim Anbieter neue, geben Sie sie hier ein und testen Sie noch einmal. Prüfen Sie, ob sie zum selben Konto, zur selben Region und Umgebung (Echtbetrieb oder Test) gehören wie die Adresse.",
  ],
  auth_expired: [
    "Die Zugangsdaten sind abgelaufen",
    "Erneuern Sie sie beim Anbieter, oder verbinden Sie das Konto noch einmal.",
  ],
  auth_revoked: [
    "Die Zugangsdaten wurden widerrufen",
    "Geben Sie neue ein, oder verbinden Sie das Konto noch einmal.",
  ],
  permission_denied: [
    "Die Zugangsdaten dürfen das nicht",
    "Der Anbieter kennt sie, lehnt den Aufruf aber ab: Geben Sie ihnen dort das fehlende Recht, schalten Sie die API für das Konto ein, oder verwenden Sie andere.",
  ],
  scope_missing: [
    "Den Zugangsdaten fehlt eine Berechtigung",
    "Ergänzen Sie sie beim Anbieter, oder verbinden Sie das Konto noch einmal und erlauben Sie alles, worum gebeten wird.",
  ],
  payment_required: [
    "Das Konto beim Anbieter hat kein Guthaben mehr",
    "Laden Sie es auf, bezahlen Sie die Rechnung, oder wählen Sie einen größeren Tarif, und testen Sie noch einmal.",
  ],
  account_locked: [
    "Das Konto beim Anbieter ist gesperrt",
    "Lassen Sie es dort entsperren und testen Sie noch einmal.",
  ],
  address_not_allowed: [
    "Der Anbieter nimmt von dieser Adresse keine Aufrufe an",
    "Erlauben Sie beim Anbieter die Adressen dieser Plattform und testen Sie noch einmal.",
  ],
  not_found: [
    "Der Anbieter hat unter diesem Namen nichts",
    "Prüfen Sie das Feld. Manche Anbieter antworten auch so, wenn die Zugangsdaten etwas nicht sehen dürfen.",
  ],
  dns_error: ["Der Host wurde nicht gefunden", "Prüfen Sie seine Schreibweise."],
  connection_refused: ["Die Verbindung wurde abgelehnt", "Prüfen Sie den Port und ob der Dienst dort läuft."],
  connection_reset: [
    "Die Verbindung wurde abgebrochen",
    "Prüfen Sie, ob der Port der richtige ist und keine Firewall dazwischensteht.",
  ],
  network_unreachable: ["Zum Host führt kein Weg", "Prüfen Sie seine Adresse."],
  connect_timeout: [
    "Der Host antwortet nicht",
    "Prüfen Sie Host und Port und ob seine Firewall Verbindungen von hier erlaubt.",
  ],
  tls_error: [
    "Eine verschlüsselte Verbindung war nicht möglich",
    "Prüfen Sie, ob der Port der richtige ist und der Server TLS anbietet.",
  ],
  certificate_expired: ["Das Zertifikat des Servers ist abgelaufen", "Sein Betreiber muss es erneuern."],
  certificate_untrusted: [
    "Das Zertifikat des Servers ist von einer unbekannten Stelle",
    "Verwenden Sie eines einer öffentlichen Stelle, oder geben Sie das der eigenen Stelle an, wenn es ein Feld dafür gibt.",
  ],
  certificate_self_signed: [
    "Das Zertifikat des Servers ist selbst ausgestellt",
    "Verwenden Sie eines einer öffentlichen Stelle, oder geben Sie es an, wenn es ein Feld dafür gibt.",
  ],
  certificate_name_mismatch: [
    "Das Zertifikat gilt für einen anderen Namen",
    "Prüfen Sie die Schreibweise des Hosts.",
  ],
  egress_blocked: ["Diese Adresse darf nicht aufgerufen werden", "Geben Sie eine öffentliche Adresse ein."],
  rate_limited: [
    "Der Anbieter bittet um eine Pause",
    "Warten Sie einen Augenblick und testen Sie noch einmal.",
  ],
  provider_error: [
    "Der Anbieter hat eine Störung",
    "Warten Sie einen Augenblick und testen Sie noch einmal.",
  ],
  provider_timeout: [
    "Der Anbieter hat nicht rechtzeitig geantwortet",
    "Warten Sie einen Augenblick und testen Sie noch einmal.",
  ],
  unexpected_response: [
    "Die Antwort war nicht die erwartete",
    "Prüfen Sie die Adresse. Stimmt sie, sagen Sie es denen, die Sie hierher geschickt haben.",
  ],
  internal_error: ["Bei uns ist etwas schiefgegangen", "Versuchen Sie es in einer Minute noch einmal."],
};
