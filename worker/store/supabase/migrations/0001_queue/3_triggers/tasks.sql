-- What holds for every row, whoever writes it.

create or replace trigger tasks_are_completed before insert on public.tasks
for each row execute function loop26.complete_new_task();

create or replace trigger tasks_follow_their_dependencies
before update of dependant_on on public.tasks
for each row when (old.dependant_on is distinct from new.dependant_on)
execute function loop26.follow_dependencies();

create or replace trigger tasks_release_their_dependants
after insert or update of status on public.tasks
for each row when (new.status = 'Complete')
execute function loop26.release_dependants();

create or replace trigger tasks_have_history after insert on public.tasks
for each row execute function loop26.begin_history();

create or replace trigger tasks_follow_the_transitions before update of status on public.tasks
for each row when (old.status is distinct from new.status)
execute function loop26.follow_transitions();
