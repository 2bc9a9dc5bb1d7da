insert into orgs (name, stripe_id) values (%(name)s, %(stripe_id)s);
