//! The agents' inbox, people, client accounts, the journal, the state of the system.

use super::texts;

texts! {
    inbox "À traiter" "Inbox";
    members "Membres" "Members";
    people "Personnes" "People";
    client_accounts "Comptes clients" "Client accounts";
    logs "Journal" "Journal";
    people_wait(count: &usize) "Inscriptions à vérifier : {count}" "Registrations to check: {count}";
    all_caught_up "Tout est à jour." "All caught up.";
    nothing_to_decide "Aucune demande n’attend de décision." "No request waits for a decision.";
    inbox_lead "Les plus anciennes d’abord. Ouvrez une demande pour la lire en entier ou la refuser."
        "Oldest first. Open a request to read it in full or to reject it.";
    decision "Décision" "Decision";
    approve "Approuver" "Approve";
    reject "Refuser" "Reject";
    reject_dots "Refuser…" "Reject…";
    approve_this(kind: &str, name: &str) "Approuver : {kind} de {name}" "Approve: {kind} by {name}";
    reject_this(kind: &str, name: &str) "Refuser : {kind} de {name}" "Reject: {kind} by {name}";
    not_yours "Pas par vous" "Not by you";
    your_decision "Votre décision" "Your decision";
    decision_binds "Elle porte exactement sur le contenu affiché ici, et sera inscrite au journal à votre nom."
        "It binds exactly the content shown here, and goes into the journal under your name.";
    reason_hint "La personne qui a fait la demande lira cette raison." "The person who asked will read this reason.";
    four_eyes_own "C’est votre propre demande : un autre agent doit la décider." "This is your own request: another agent must decide it.";
    four_eyes_benefit "Vous êtes bénéficiaire de cette demande : un autre agent doit la décider."
        "You benefit from this request: another agent must decide it.";
    digest "Empreinte du contenu" "Content digest";
    already_decided "Cette demande vient d’être décidée ou annulée. Voici où elle en est."
        "This request was decided or cancelled a moment ago. Here is where it stands.";
    content_changed "Le contenu n’est plus celui que vous avez lu. Relisez avant de décider."
        "The content is no longer what you read. Read it again before you decide.";

    create_agent "Créer un agent" "Create an agent";
    create_agent_lead "L’agent peut se connecter aussitôt, et change ensuite son mot de passe."
        "The agent can sign in at once, and changes the password afterwards.";
    first_password "Premier mot de passe" "First password";
    search_person "Identifiant, nom ou e-mail" "Login, name or e-mail";
    search_account "Titulaire, compte ou IBAN" "Holder, account or IBAN";
    role_word "Rôle" "Role";
    registered_on "Inscription" "Registered";
    last_sign_in "Dernière connexion" "Last sign-in";
    identity_word "Identité" "Identity";
    see_logs "Voir son journal" "See their journal";
    actions_word "Actions" "Actions";
    activate "Activer" "Activate";
    activate_explained "Cette personne pourra se connecter." "This person will be able to sign in.";
    reject_person "Refuser l’inscription" "Reject the registration";
    reject_reason "Raison du refus" "Reason for the refusal";
    disable "Désactiver" "Disable";
    disable_explained "Ferme toutes ses sessions et empêche la connexion. Ses comptes restent." "Ends all sessions and prevents signing in. The accounts stay.";
    disable_reason "Raison" "Reason";
    staff_reason_hint "Facultatif ; lu par le personnel seulement." "Optional; read by staff only.";
    delete_person "Supprimer cette personne…" "Delete this person…";
    delete_explained "Définitif, et impossible tant qu’elle a un compte ouvert." "For good, and impossible while they have an open account.";
    delete_for_good "Supprimer définitivement" "Delete for good";
    type_login(login: &str) "Pour confirmer, saisissez l’identifiant : {login}" "To confirm, type the login: {login}";
    login_differs "Ce n’est pas l’identifiant de cette personne." "This is not the login of this person.";
    not_managed "Vous ne pouvez pas agir sur cette personne." "You cannot act on this person.";

    log_user "Personne (identifiant)" "Person (login)";
    log_action "Action" "Action";
    log_level "Niveau" "Level";
    log_actor "Par" "By";
    log_subject "Concerne" "Concerns";

    all_up "Tout fonctionne." "Everything works.";
    some_down "Un service ne répond pas comme il faut." "A service does not answer as it should.";
    monitor_silent "L’état du service n’est pas connu pour l’instant." "The state of the service is not known right now.";
    checks(kept: usize, all: usize) "Contrôles tenus : {kept} sur {all}" "Checks that hold: {kept} of {all}";
    since_word "Depuis" "Since";
    checked_word "Vérifié" "Checked";
    version_word "Version" "Version";
    holds "vrai" "holds";
    fails "faux" "fails";
}
