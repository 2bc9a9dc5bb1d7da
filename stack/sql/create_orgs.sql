create table orgs (
    id bigint primary key generated always as identity,
    name text not null,
    stripe_id text not null unique
);
