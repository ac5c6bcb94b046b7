//! Accounts, RIB, the forms that move money, requests and notifications.

use super::texts;

texts! {
    accounts "Comptes" "Accounts";
    account "Compte" "Account";
    my_accounts "Mes comptes" "My accounts";
    transfer "Virement" "Transfer";
    requests "Demandes" "Requests";
    my_requests "Mes demandes" "My requests";
    notifications "Notifications" "Notifications";
    greeting(name: &str) "Bonjour {name}" "Hello {name}";
    available "Disponible" "Available";
    booked "Solde comptable" "Booked balance";
    held "Réservé (en attente)" "Held (pending)";
    make_transfer "Faire un virement" "Make a transfer";
    deposit "Dépôt" "Deposit";
    withdrawal "Retrait" "Withdrawal";
    open_account "Ouvrir un compte" "Open an account";
    no_accounts "Vous n’avez pas encore de compte. Demandez-en un : un agent l’ouvre et vous recevez un IBAN."
        "You have no account yet. Ask for one: an agent opens it and you get an IBAN.";
    iban_comes "IBAN à l’ouverture" "IBAN once opened";
    show_closed(count: &usize) "Comptes clos ou refusés ({count})" "Closed or refused accounts ({count})";
    pending_requests "Demandes en attente" "Pending requests";
    all_requests "Toutes mes demandes" "All my requests";
    last_movements "Derniers mouvements" "Last movements";
    no_movements_yet "Aucun mouvement pour l’instant." "No movements yet.";
    movement "Mouvement" "Movement";
    amount "Montant" "Amount";
    currency "Devise" "Currency";
    balance_after "Solde après" "Balance after";
    history "Historique" "History";
    nothing_in_period "Aucun mouvement dans cette période." "No movements in this period.";
    this_month "Ce mois-ci" "This month";
    last_month "Le mois dernier" "Last month";
    last_90_days "90 jours" "90 days";
    this_year "Cette année" "This year";
    manage_account "Gérer ce compte" "Manage this account";
    rename_account "Renommer le compte" "Rename the account";
    renew_iban "Demander un nouveau RIB" "Ask for a new RIB";
    renew_iban_lead "Un agent attribue un autre numéro au compte. L’ancien IBAN cesse aussitôt de fonctionner ; l’argent reste en place."
        "An agent gives the account another number. The old IBAN stops working at once; the money stays where it is.";
    close_account "Clore le compte" "Close the account";
    close_account_lead "Un compte se clôt à zéro, sans demande en attente. La clôture, décidée par un agent, est définitive."
        "An account closes at zero, with nothing pending. An agent decides; it is for good.";
    read_only "Compte d’un client, en lecture seule." "A client’s account, read only.";
    see_person "Voir la personne" "See the person";
    account_waits "L’ouverture de ce compte attend la décision d’un agent." "Opening this account waits for an agent’s decision.";
    see_request "Voir la demande" "See the request";
    open_account_lead "Un agent examine la demande ; le compte reçoit son IBAN à l’ouverture."
        "An agent looks at the request; the account gets its IBAN when it is opened.";
    account_name "Nom du compte" "Account name";
    account_name_hint "Pour vous y retrouver : « Compte courant », « Vacances »…" "For you to recognize it: “Everyday”, “Holidays”…";
    send_request "Envoyer la demande" "Send the request";
    back_to_account "Retour au compte" "Back to the account";

    rib "RIB" "RIB";
    rib_title "Relevé d’identité bancaire" "Bank details (RIB)";
    rib_explained "À remettre à toute personne ou organisation qui doit vous payer." "Give this to anyone who is to pay you.";
    holder "Titulaire" "Holder";
    national_number "Numéro de compte national" "National account number";
    bank_code "Code banque" "Bank code";
    branch_code "Code guichet" "Branch code";
    account_number "N° de compte" "Account number";
    rib_key "Clé" "Key";
    domiciliation "Domiciliation" "Domiciliation";

    deposit_lead "Indiquez la somme que vous apportez ; un agent l’enregistre une fois l’argent reçu."
        "Say how much you bring; an agent books it once the money is there.";
    withdrawal_lead "La somme est réservée tout de suite et remise après l’accord d’un agent."
        "The amount is held at once and handed over after an agent agrees.";
    transfer_lead "La somme est réservée tout de suite et virée après l’accord d’un agent."
        "The amount is held at once and transferred after an agent agrees.";
    debited_account "Compte débité" "From account";
    credited_account "Compte crédité" "To account";
    to_whom "Bénéficiaire" "Payee";
    payee_iban "IBAN du bénéficiaire" "Payee’s IBAN";
    payee_iban_hint "Tout compte de cette banque ; les espaces sont permis." "Any account at this bank; spaces are fine.";
    or_own_account "Ou un de mes comptes" "Or one of my accounts";
    no_own_account "– à l’IBAN ci-dessus –" "– to the IBAN above –";
    payee_missing "Indiquez un IBAN ou choisissez un de vos comptes." "Enter an IBAN or choose one of your accounts.";
    payee_twice "Indiquez un IBAN ou un de vos comptes, pas les deux." "Enter an IBAN or one of your accounts, not both.";
    payee_same "Choisissez un autre compte que le compte débité." "Choose another account than the one debited.";
    iban_good "IBAN correct" "The IBAN is correct";
    iban_bad "IBAN incomplet ou inexact" "The IBAN is incomplete or wrong";
    amount_hint "Par exemple 250 ou 1234,56." "For example 250 or 1234.56.";
    reference "Motif" "Reference";
    reference_hint "Facultatif ; le bénéficiaire le lit aussi." "Optional; the payee reads it too.";
    go_check "Vérifier" "Check";
    needs_open_account "Il faut d’abord un compte ouvert." "You need an open account first.";
    available_is(amount: &str) "{amount} disponibles" "{amount} available";
    check_title "Vérifiez avant d’envoyer" "Check before you send";
    check_lead "Tout est-il exact ?" "Is everything right?";
    fee "Frais" "Fee";
    no_fee "Aucun" "None";
    available_now "Disponible maintenant" "Available now";
    available_after "Disponible après" "Available after";
    confirm_send "Confirmer et envoyer" "Confirm and send";
    not_confirmed "La banque n’a pas confirmé la demande. Confirmez de nouveau dans un instant : c’est sans risque, elle n’est faite qu’une fois."
        "The bank did not confirm the request. Confirm again in a moment: there is no risk, it is done once only.";
    what_happens_next "Un agent décide ensuite ; vous pouvez annuler la demande tant qu’elle est en attente."
        "An agent then decides; you can take the request back while it is pending.";
    beyond_available "La somme dépasse le disponible." "The amount is more than what is available.";

    request "Demande" "Request";
    asked_on "Demandé le" "Asked on";
    concerns "Objet" "Concerns";
    no_requests_yet "Aucune demande pour l’instant." "No requests yet.";
    what_is_asked "Ce qui est demandé" "What is asked";
    asked_by "Demandé par" "Asked by";
    request_number "Numéro de la demande" "Request number";
    its_way "Suivi" "Progress";
    step_sent "Demande envoyée" "Request sent";
    step_waiting "En attente d’un agent" "Waiting for an agent";
    step_waiting_more "Rien n’est fait avant sa décision." "Nothing is done before the decision.";
    step_decision "Décision" "Decision";
    step_expires "Sans décision, la demande expire le" "Without a decision, the request expires on";
    an_agent "un agent" "an agent";
    reason "Raison" "Reason";
    reason_is(reason: &str) "Raison : {reason}" "Reason: {reason}";
    cancel_request "Annuler la demande" "Cancel the request";

    mark_read "Tout marquer comme lu" "Mark all as read";
    no_notifications "Aucune notification pour l’instant." "No notifications yet.";
}
