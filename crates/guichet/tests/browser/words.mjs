// What the pages are expected to say, and how to notice that they say it in the wrong language.

export const WORDS = {
  fr: {
    welcome: "Inscription envoyée",
    refused: "Identifiant ou mot de passe inexact",
    missing: "Ce champ est à remplir",
    activated: "peut se connecter",
    greeting: "Bonjour Zoé",
    sent: "Votre demande est envoyée",
    pending: "En attente",
    approved: "Approuvée",
    rejected: "Refusée",
    done: "La demande est approuvée",
    turnedDown: "La demande est refusée",
    deposit: "Dépôt",
    withdrawal: "Retrait",
    transferTo: "Virement à Alice Martin",
    beyond: "La somme dépasse le disponible",
    ambiguous: "Montant ambigu",
    wrongIban: "IBAN inexact",
    ibanGood: "IBAN correct",
    own: "C’est votre propre demande",
    notYours: "Pas par vous",
    passwordChanged: "Votre mot de passe est changé",
    signedOut: "Vous êtes déconnecté",
    transferApproved: "Virement approuvé",
    transferReceived: "Virement reçu",
    nowhere: "Page introuvable",
    forbidden: "Accès refusé",
    everythingWorks: "Tout fonctionne",
    copied: "Copié",
    notThatCode: "pas le code que l’application affiche",
    wrongCode: "Ce code n’est pas le bon",
    factorOn: "Votre second facteur est activé",
    bankKnows: "La banque est prévenue",
    colleague: "Un collègue doit maintenant approuver",
    unlocked: "peut se connecter sans attendre",
    factorGone: "Le second facteur est retiré",
    noMails: "Cette banque n’envoie pas de courriels",
    linkEnded: "Ce lien ne vaut plus",
    enrolAgain: "Votre second facteur perdu a été retiré",
    proven: "C’est bien vous",
    passkeyGone: "La clé d’accès est supprimée",
    tokenGone: "Le jeton est révoqué",
    othersEnded: "Vos autres sessions sont terminées",
    tried: "rien n’est enregistré",
    checkKept: "Le contrôle est enregistré",
    checkRemoved: "Le contrôle est supprimé",
    announced: "Les travaux sont annoncés",
    workEnded: "Les travaux sont terminés",
  },
  en: {
    welcome: "Registration sent",
    refused: "The login or the password is wrong",
    missing: "Please fill this in",
    activated: "can sign in",
    greeting: "Hello Zoé",
    sent: "Your request was sent",
    pending: "Pending",
    approved: "Approved",
    rejected: "Rejected",
    done: "The request is approved",
    turnedDown: "The request is rejected",
    deposit: "Deposit",
    withdrawal: "Withdrawal",
    transferTo: "Transfer to Alice Martin",
    beyond: "The amount is more than what is available",
    ambiguous: "Ambiguous amount",
    wrongIban: "Wrong IBAN",
    ibanGood: "The IBAN is correct",
    own: "This is your own request",
    notYours: "Not by you",
    passwordChanged: "Your password is changed",
    signedOut: "You are signed out",
    transferApproved: "Transfer approved",
    transferReceived: "Transfer received",
    nowhere: "Page not found",
    forbidden: "Not allowed",
    everythingWorks: "Everything works",
    copied: "Copied",
    notThatCode: "not the code that the app shows",
    wrongCode: "This is not the right code",
    factorOn: "Your second factor is on",
    bankKnows: "The bank knows",
    colleague: "A colleague has to approve now",
    unlocked: "can sign in at once",
    factorGone: "The second factor is removed",
    noMails: "This bank sends no mails",
    linkEnded: "This link works no more",
    enrolAgain: "Your lost second factor was removed",
    proven: "It is you",
    passkeyGone: "The passkey is removed",
    tokenGone: "The token is revoked",
    othersEnded: "Your other sessions have ended",
    tried: "nothing is saved",
    checkKept: "The check is saved",
    checkRemoved: "The check is removed",
    announced: "The work is announced",
    workEnded: "The work has ended",
  },
};

/** An amount of euros as the language writes it, with plain spaces. */
export function euros(language, amount) {
  const [whole, cents] = amount.replace("-", "").split(".");
  const sign = amount.startsWith("-") ? "-" : "";
  return language === "fr" ? `${sign}${whole},${cents} €` : `${sign}€${whole}.${cents}`;
}

/** Words that betray the other language; none is a word of both. */
const FOREIGN = {
  fr: /\b(the|your|you|and|with|sign|account|accounts|request|requests|requested|amount|from|please|this|waiting|pending|approved|rejected|approve|reject|member|members|save|cancel|balance|available|booked|currency|reason|password|login|state|everything|holder|transfer|deposit|withdrawal|people|inbox|check|next|page not)\b/i,
  en: /(?<!\p{L})(le|les|des|une|vous|votre|compte|comptes|demande|demandes|virement|dépôt|retrait|solde|montant|connexion|identifiant|enregistrer|annuler|refuser|approuver|membre|membres|disponible|devise|raison|titulaire|clé|état|en attente|suivi|personnes|vérifier|aucun|tous)(?!\p{L})/iu,
};
/** Names of things of the program, which nobody should have to read. */
const RAW = /\b[A-Z]{3,}_[A-Z_]+\b|\{\w*\}|undefined|\bnull\b/;

/** The texts that are not of this language. */
export function leftovers(language, texts) {
  return [...new Set(texts.filter((text) => FOREIGN[language].test(text) || RAW.test(text)))];
}
