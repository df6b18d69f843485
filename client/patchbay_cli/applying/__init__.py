"""What `patchbay apply` does: a deployment becomes what a folder says.

    folder        what the files want, checked as far as that is possible without a deployment
    deployment    what there is: each list is read once
    plan          the difference: changes, what can't be done, and what the folder does not have
    execution     the changes, stage by stage: what others need comes first

`integrations`, `spaces`, `endpoints`, `connections`, `alert_rules`, and `api_keys` know how one
kind of thing is compared, and how it is changed.
"""
