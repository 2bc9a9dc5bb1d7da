select subs.metadata ->> 'platform' as platform, orgs.stripe_id as customer_id, subs.status as subscription_status,
       extract(epoch from subs.trial_ends - now()) / (60*60*24) as days_left_in_trial, subs.trial_ends as trial_end_date
from orgs left join stripe.subscription as subs on orgs.stripe_id = subs.customer_id where orgs.id = %(org_id)s;
