select 1
from {difference} as found
join {target} as mine on {same}
where found.number > $1 and found.number <= $2
order by found.number
for update of mine
