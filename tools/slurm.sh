#!/usr/bin/env bash
# A SLURM of one node on this machine, to try profiles/slurm on: tools/slurm.sh start|stop FOLDER
# It needs root and Debian's munge, slurmctld, slurmd and slurm-client. Its configuration lies in
# /etc/slurm, as the executor plugin takes SLURM_CONF out of what its jobs see; a SLURM that is
# configured there already is left alone. FOLDER gets state and logs. `stop` ends the programs that
# `start` started and takes the configuration away.
set -euo pipefail
action=$1
mkdir -p "$2"
folder=$(realpath "$2")
etc=/etc/slurm
mark="# By tools/slurm.sh in $folder"
node=$(hostname -s)

fail() {
	echo "tools/slurm.sh: $*" >&2
	exit 1
}

configure() {
	mkdir -p "$etc" "$folder/state" "$folder/spool"
	# As many CPUs as any rule asks for, whatever the machine has. A job that is queued again waits
	# until its first credential has expired: two minutes, if nothing is said.
	cat >"$etc/slurm.conf" <<-CONF
		$mark
		ClusterName=one
		SlurmctldHost=$node(127.0.0.1)
		SlurmUser=root
		SlurmdUser=root
		AuthType=auth/munge
		AuthInfo=cred_expire=20
		SlurmctldPort=36817
		SlurmdPort=36818
		SlurmctldPidFile=$folder/slurmctld.pid
		SlurmdPidFile=$folder/slurmd.pid
		SlurmctldLogFile=$folder/slurmctld.log
		SlurmdLogFile=$folder/slurmd.log
		StateSaveLocation=$folder/state
		SlurmdSpoolDir=$folder/spool
		SlurmdParameters=config_overrides
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		JobAcctGatherType=jobacct_gather/none
		SelectType=select/cons_tres
		SelectTypeParameters=CR_CPU
		GresTypes=gpu
		MpiDefault=none
		ReturnToService=0
		KillWait=20
		MinJobAge=3600
		SchedulerParameters=sched_interval=2,batch_sched_delay=0
		NodeName=$node NodeAddr=127.0.0.1 CPUs=8 RealMemory=64000 Gres=gpu:1
		PartitionName=cpu Nodes=$node Default=YES MaxTime=1-0
		PartitionName=gpu Nodes=$node MaxTime=1-0
	CONF
	# A GPU that is none: every machine has this file.
	echo "NodeName=$node Name=gpu File=/dev/null" >"$etc/gres.conf"
	# Control groups are seldom at hand in a container.
	echo "CgroupPlugin=cgroup/v1" >"$etc/cgroup.conf"
}

start() {
	for program in munged slurmctld slurmd sbatch; do
		command -v "$program" >/dev/null || fail "$program is not installed"
	done
	[[ $(id -u) == 0 ]] || fail "only root can start it"
	[[ ! -e $etc/slurm.conf ]] || fail "$etc/slurm.conf is there already: this machine has a SLURM"
	configure
	if ! munge -n >/dev/null 2>&1; then
		mkdir -p /run/munge
		chown munge: /run/munge
		runuser -u munge -- "$(command -v munged)"
		touch "$folder/munged.started"
	fi
	slurmctld -c
	slurmd
	for _ in $(seq 60); do
		[[ $(sinfo --noheader --format=%t --partition=gpu 2>/dev/null) == idle ]] && return
		sleep 0.5
	done
	tail -n 5 "$folder"/*.log >&2
	stop
	fail "SLURM did not start, see above"
}

stop() {
	grep --quiet --line-regexp --fixed-strings "$mark" "$etc/slurm.conf" 2>/dev/null || return 0
	# Also what is stopped, or would take its time.
	squeue --noheader --format=%i 2>/dev/null | xargs --no-run-if-empty scancel --full --signal=KILL || true
	for _ in $(seq 20); do
		[[ -n $(squeue --noheader 2>/dev/null) ]] || break
		sleep 0.5
	done
	for program in slurmd slurmctld; do
		[[ ! -f $folder/$program.pid ]] || kill "$(cat "$folder/$program.pid")" 2>/dev/null || true
	done
	for _ in $(seq 20); do
		[[ -e $folder/slurmd.pid || -e $folder/slurmctld.pid ]] || break
		sleep 0.5
	done
	rm -f "$etc/slurm.conf" "$etc/gres.conf" "$etc/cgroup.conf"
	[[ ! -e $folder/munged.started ]] || runuser -u munge -- "$(command -v munged)" --stop || true
}

case $action in
start | stop) "$action" ;;
*) fail "start or stop, not $action" ;;
esac
